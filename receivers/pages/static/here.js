// Shows times as the visitor's clock has them, and copies what a button is for. Without it times are UTC.
"use strict";

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const tell = (root) => {
  for (const each of root.querySelectorAll("time[data-time]:not([data-told])")) {
    const at = new Date(each.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const clock = document.createElement("span");
    clock.className = "local";
    clock.textContent = ` ${short.format(at)}`;
    each.dataset.told = "";
    each.title = `${local.format(at)} here, ${each.title}`;
    if (each.textContent.endsWith("ago") || each.textContent === "just now") each.append(clock);
  }
  for (const each of root.querySelectorAll("button[data-copy][hidden]")) each.hidden = !navigator.clipboard;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy)?.textContent.trim() ?? "";
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not copied";
  }
});

tell(document);
document.addEventListener("shown", (event) => tell(event.target));
