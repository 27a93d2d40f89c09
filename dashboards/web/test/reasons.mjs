// Reads sentences, one a line, from stdin; prints those that have no Vietnamese.
import { readFileSync } from "node:fs";
import { build } from "esbuild";

globalThis.localStorage = { getItem: () => "vi", setItem: () => undefined };
const out = await build({ entryPoints: ["src/reasons.ts"], bundle: true, write: false, format: "esm", platform: "neutral" });
const { sentence } = await import("data:text/javascript;base64," + Buffer.from(out.outputFiles[0].contents).toString("base64"));
for (const line of readFileSync(0, "utf8").split("\n")) if (line && sentence(line) === line) console.log(line);
