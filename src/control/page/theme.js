// Light, dark, or as the system has it: set before anything is drawn, so that nothing flashes.
"use strict";
(() => {
    const KEY = "ipmi_sim.theme";
    const CHOICES = ["system", "light", "dark"];
    const stored = () => {
        try {
            const choice = localStorage.getItem(KEY);
            return CHOICES.includes(choice) ? choice : "system";
        } catch {
            return "system";
        }
    };
    const apply = (choice) => {
        if (choice === "system") {
            delete document.documentElement.dataset.theme;
        } else {
            document.documentElement.dataset.theme = choice;
        }
    };
    let choice = stored();
    apply(choice);
    window.theme = {
        get choice() {
            return choice;
        },
        next() {
            choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
            apply(choice);
            try {
                localStorage.setItem(KEY, choice);
            } catch {
                // It holds until the page is left.
            }
            window.dispatchEvent(new Event("theme"));
        },
    };
})();
