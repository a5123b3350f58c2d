// Reads the QR codes in a picture, away from the page's thread: zxing-cpp as WebAssembly
// (docs/adr/0005-which-decoder.md). A worker answers to the security policy of its own file, not of
// the page that starts it: the page's stays as strict as without WebAssembly.
//
// Takes {data, width, height} as ImageData has them; answers {texts}, or {failed} with the reason.

importScripts("vendor/zxing-reader.js");

const OPTIONS = { formats: ["QRCode"], maxNumberOfSymbols: 4, tryInvert: false, textMode: "Plain" };

ZXingWASM.prepareZXingModule({
  overrides: { locateFile: (name) => new URL(`vendor/${name}`, location).href },
});

onmessage = async ({ data: picture }) => {
  try {
    const found = await ZXingWASM.readBarcodes(picture, OPTIONS);
    postMessage({ texts: found.map(({ text }) => text) });
  } catch (error) {
    postMessage({ failed: String(error) });
  }
};
