// How elements are made: text goes in as text, never as markup, and nothing has a style attribute or a script in it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
        if (value === undefined || value === null || value === false) continue;
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else if (key === "text") element.textContent = value;
        else element.setAttribute(key, value === true ? "" : String(value));
    }
    for (const child of children.flat()) {
        if (child !== undefined && child !== null && child !== false) element.append(child);
    }
    return element;
}

/** An element with attributes, listeners (`onclick`), text and children. */
export function h(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

/** The same of SVG. */
export function svg(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}

/** A function that has `draw` called with the next frame, once however often it is called before. */
export function oncePerFrame(draw) {
    let asked = false;
    return () => {
        if (asked) return;
        asked = true;
        requestAnimationFrame(() => {
            asked = false;
            draw();
        });
    };
}

/** Changes a text only where it differs, so that nothing is laid out or read aloud again for nothing. */
export function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/** Changes an attribute only where it differs; null takes it away. */
export function mark(element, name, value) {
    if (value === null || value === false) {
        if (element.hasAttribute(name)) element.removeAttribute(name);
    } else if (element.getAttribute(name) !== String(value)) {
        element.setAttribute(name, String(value));
    }
}

let sayTimer = 0;

/** Tells those who listen instead of looking. */
export function say(text) {
    const region = document.getElementById("said");
    region.textContent = "";
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => {
        region.textContent = text;
    }, 60);
}

/** A note at the edge of the page: what could not be done, until it is dismissed; what was done, for some seconds. */
export function note(text, kind = "bad") {
    const box = document.getElementById("notes");
    const close = h("button", { type: "button", class: "quiet", "aria-label": "Dismiss this note", text: "✕" });
    const entry = h("div", { class: `note ${kind}`, role: kind === "bad" ? "alert" : "status" }, h("p", { text }), close);
    close.addEventListener("click", () => entry.remove());
    while (box.children.length >= 4) box.firstChild.remove();
    box.append(entry);
    if (kind !== "bad") setTimeout(() => entry.remove(), 4000);
}

/** Asks before something that cannot be taken back; true when it is wanted. */
export function confirmed(question, verb) {
    return new Promise((resolve) => {
        const no = h("button", { type: "button", text: "Cancel" });
        const yes = h("button", { type: "button", class: "danger", text: verb });
        const title = h("h2", { id: "question", text: question });
        const dialog = h("dialog", { class: "ask", "aria-labelledby": "question" }, title, h("div", { class: "row end" }, no, yes));
        let answer = false;
        no.addEventListener("click", () => dialog.close());
        yes.addEventListener("click", () => {
            answer = true;
            dialog.close();
        });
        dialog.addEventListener("close", () => {
            dialog.remove();
            resolve(answer);
        });
        document.body.append(dialog);
        dialog.showModal();
        no.focus();
    });
}
