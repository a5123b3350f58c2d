// Inside Telegram: says that the page is ready, and asks for the whole height. Telegram's own script
// would come from another host, and this is all of it that we need.
// https://core.telegram.org/api/web-events

function tell(eventType) {
  if (window.TelegramWebviewProxy) window.TelegramWebviewProxy.postEvent(eventType, "{}");
  else if (window.external && "notify" in window.external)
    window.external.notify(JSON.stringify({ eventType, eventData: {} }));
  else if (window.parent !== window)
    window.parent.postMessage(JSON.stringify({ eventType, eventData: {} }), "https://web.telegram.org");
}

if (new URLSearchParams(location.hash.slice(1)).has("tgWebAppVersion")) {
  tell("web_app_ready");
  tell("web_app_expand");
}
