// Shows what has changed as it happens: on an event the page's main part is read again.
// Without scripts the pages work all the same.
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;
  let waiting = null;
  const refresh = async () => {
    waiting = null;
    const editing = main.contains(document.activeElement) && document.activeElement.matches("input");
    if (editing) { waiting = setTimeout(refresh, 2000); return; }
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (fresh) main.replaceChildren(...fresh.childNodes);
  };
  const source = new EventSource("/events?services=" + encodeURIComponent(main.dataset.live));
  source.onmessage = () => { waiting = waiting || setTimeout(refresh, 150); };
  addEventListener("pagehide", () => source.close());
})();
