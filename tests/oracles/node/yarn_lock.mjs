// What Yarn's own parser reads in a lockfile, of Yarn 1 or later.
import { parseSyml } from "@yarnpkg/parsers";
import { serve } from "./serve.mjs";

await serve(({ content }) => parseSyml(content));
