import { health } from "@orient/core";

export const page = `<main>${JSON.stringify(health("dashboard"))}</main>`;
