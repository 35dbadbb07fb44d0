// Light and dark: the system's choice, unless the button changes it.

const ORDER = ["system", "light", "dark"];
const SIGNS = { system: "◐ system", light: "○ light", dark: "● dark" };
const wantsDark = matchMedia("(prefers-color-scheme: dark)");
let chosen = localStorage.getItem("theme") ?? "system";
const listeners = [];

function apply() {
  const dark = chosen === "dark" || (chosen === "system" && wantsDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  listeners.forEach((listener) => listener());
}

export function onTheme(listener) {
  listeners.push(listener);
  return () => listeners.splice(listeners.indexOf(listener), 1);
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export function startTheme(button) {
  const show = () => { button.textContent = SIGNS[chosen]; };
  button.addEventListener("click", () => {
    chosen = ORDER[(ORDER.indexOf(chosen) + 1) % ORDER.length];
    localStorage.setItem("theme", chosen);
    show();
    apply();
  });
  wantsDark.addEventListener("change", apply);
  show();
  apply();
}
