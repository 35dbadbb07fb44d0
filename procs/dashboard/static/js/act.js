// Commands to the engine: confirmed by the user, and only with the token of the printed address.

const fromAddress = new URLSearchParams(location.hash.slice(1)).get("token");
if (fromAddress) {
  sessionStorage.setItem("token", fromAddress);
  history.replaceState(null, "", location.pathname + "#pipeline"); // not for over-the-shoulder eyes
}

export function mayAct() {
  return sessionStorage.getItem("token") !== null;
}

export function confirmed(title, text, button) {
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = button;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Returns an error for people, or nothing on success.
export async function act(command) {
  try {
    const answer = await fetch("/act", {
      method: "POST",
      headers: { Authorization: `Bearer ${sessionStorage.getItem("token")}` },
      body: JSON.stringify(command),
    });
    return (await answer.json()).error;
  } catch {
    return "the dashboard's server does not answer";
  }
}
