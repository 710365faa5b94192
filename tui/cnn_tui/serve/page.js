// The token has done its work: out of the address bar, the history and bookmarks with it.
history.replaceState(null, "", location.pathname);

document.addEventListener("DOMContentLoaded", () => {
  // textual.js reads this when the page is loaded. The address is that of the page, so that it is
  // right behind a tunnel too.
  const address = new URL("ws", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  document.getElementById("terminal").dataset.sessionWebsocketUrl = address.href;

  // After textual.js, which makes the terminal then.
  window.addEventListener("load", () => {
    document.querySelector(".xterm-helper-textarea").focus();
  });
});
