// Asks for the page again every few seconds and shows what has changed. Without it the page has a link that does so.
"use strict";

const region = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const banner = document.querySelector("[data-banner]");

// What is wrong with the service appears on an open page, and goes away again.
const exchangeBanner = (page) => {
  const fresh = page.getElementById("banner");
  if (banner && fresh && fresh.innerHTML !== banner.innerHTML) banner.replaceChildren(...fresh.childNodes);
};

// A page that does not ask for itself again asks for the banner alone.
if (banner && !(region && state)) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const response = await fetch(banner.dataset.banner, { cache: "no-store" });
      if (response.ok && !response.redirected) {
        exchangeBanner(new DOMParser().parseFromString(await response.text(), "text/html"));
      }
    } catch {
      // the service does not answer: the page is as old as it looks
    }
  };
  document.addEventListener("visibilitychange", look);
  window.setInterval(look, 10000);
}

if (region && state) {
  const status = document.createElement("span");
  const button = document.createElement("button");
  let paused = false;
  let held = false; // a pointer is down: what it is over must stay
  let timer = 0;
  let shown = region.innerHTML; // as it came: other scripts add to it

  status.setAttribute("role", "status");
  button.type = "button";
  button.className = "quiet";
  state.append(status, " ", button);

  const tell = (text, kind) => {
    if (status.textContent !== text) status.textContent = text;
    status.className = kind;
    button.textContent = paused ? "Resume" : "Pause";
  };

  const selecting = () => {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  };

  const exchange = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    exchangeBanner(page);
    const fresh = page.getElementById(region.id);
    if (!fresh || fresh.innerHTML === shown || held || selecting()) return;
    shown = fresh.innerHTML;
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...region.querySelectorAll("details[open][id]")].map((each) => each.id);
    region.replaceChildren(...fresh.childNodes);
    region.dispatchEvent(new Event("shown", { bubbles: true }));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };

  const look = async () => {
    window.clearTimeout(timer);
    if (paused || document.hidden) return;
    try {
      const response = await fetch(location.href, { cache: "no-store" });
      if (response.ok && !response.redirected) {
        exchange(await response.text());
        tell("Live", "on");
      } else {
        tell(response.status === 401 ? "Not live: open the page again" : "Not live: the page has an error", "off");
      }
    } catch {
      tell("Not live: the service does not answer", "off");
    }
    timer = window.setTimeout(look, Number(region.dataset.live) * 1000);
  };

  button.addEventListener("click", () => {
    paused = !paused;
    tell(paused ? "Paused" : "Live", paused ? "off" : "on");
    look();
  });
  document.addEventListener("visibilitychange", look);
  for (const [event, down] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
    document.addEventListener(event, () => { held = down; });
  }
  tell("Live", "on");
  timer = window.setTimeout(look, Number(region.dataset.live) * 1000);
}
