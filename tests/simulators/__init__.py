"""Stand-ins for the providers: HTTP servers on loopback that behave as the vendors document.

Their faults too. A simulator runs in a thread of its own, for sync and async tests alike:

    with TelegramSimulator() as telegram:
        guest = telegram.guest(first_name="Ana", language_code="sr")
        guest.starts()
        guest.wait_for(text="Dobrodošli")
"""
