"""The contract kit: what every channel and every till adapter must hold, as cases that are data.

A plugin's tests get it by pytest fixtures, without importing anything but `malva`:

    @pytest.mark.malva(vendor=Line)           # the vendor's side: see `vendors`
    def test_the_contract(channel_contract):  # one test for each case
        channel_contract()

A vendor's side that can't have something says so in `lacks`, with the reason; its cases are then
not asked, and where there is something else to hold instead, that is. docs/plugins.md tells more.
"""
