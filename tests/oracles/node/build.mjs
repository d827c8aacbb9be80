// Bundles the oracles into the folder named on the command line, once per installation: GitHub's packages
// import JSON files, which Node 20 refuses without a bundler.
import { copyFile } from "node:fs/promises";

import { build } from "esbuild";

await build({
  entryPoints: ["picomatch.mjs", "expressions.mjs", "workflow_parser.mjs"],
  bundle: true,
  platform: "node",
  format: "esm",
  outdir: process.argv[2],
  outExtension: { ".js": ".mjs" },
  // Some of the bundled packages are CommonJS and ask for Node's own modules with `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: "warning",
});
// For a browser, and one file as it comes.
await copyFile("node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js", `${process.argv[2]}/mermaid.js`);
