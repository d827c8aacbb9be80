// What Express 5 says of a route: nothing, or why path-to-regexp refuses it.
import { pathToRegexp } from "path-to-regexp";
import { serve } from "./serve.mjs";

function refusal(path) {
  try {
    pathToRegexp(path);
    return "";
  } catch (error) {
    // Its words, without the path and the address that it adds.
    const said = String(error.message).replace(/; visit \S+ for info$/, "");
    return path && said.endsWith(`: ${path}`) ? said.slice(0, -path.length - 2) : said;
  }
}

await serve(({ paths }) => paths.map(refusal));
