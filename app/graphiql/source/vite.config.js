// Builds ../dist, which is committed: whoever runs the server needs no node. README.md in the folder above says more.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const SOURCE = fileURLToPath(new URL(".", import.meta.url));
const COMPRESSED = /\.(js|css|svg|ttf)$/;
const NOT_SOURCES = new Set(["node_modules", ".gitignore"]);

/** Changes one place of a library; the build fails when an update has moved it. */
function patch({ name, file, from, to }) {
  let found = false;
  return {
    name: `laurel:${name}`,
    transform(code, id) {
      if (!id.split("?")[0].endsWith(file)) return null;
      if (!from.test(code)) throw new Error(`${file} has changed: ${from} is not in it`);
      found = true;
      return { code: code.replace(from, to), map: null };
    },
    buildEnd(error) {
      if (!error && !found) throw new Error(`${file} is not in the bundle any more`);
    },
  };
}

const patches = () => [
  // GraphiQL names a tab after its operation; a prepared one keeps the name of whom it speaks for.
  patch({
    name: "tab-titles",
    file: "@graphiql/react/dist/utility/tabs.js",
    from: /title: newTab\.operationName \|\|/,
    to: "title: newTab.prepared || newTab.operationName ||",
  }),
  // Indents JSON by the parser that is in the bundle anyway, instead of half a megabyte of JavaScript parser.
  patch({
    name: "json-format",
    file: "@graphiql/react/dist/utility/jsonc.js",
    from: /async function formatJSONC\(content\) \{[\s\S]*?\n\}/,
    to: `import { applyEdits, format } from "jsonc-parser";
async function formatJSONC(content) {
  return applyEdits(content, format(content, undefined, { insertSpaces: true, tabSize: 2, keepLines: false }));
}`,
  }),
];

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !NOT_SOURCES.has(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? filesOf(join(folder, entry.name)) : [join(folder, entry.name)]));
}

/** Keeps each text as .gz alone, and writes BUILD: the SHA-256 of every source and every built file. */
const shipped = () => {
  let target = "";
  return {
    name: "laurel:shipped",
    configResolved(config) {
      target = config.build.outDir;
    },
    closeBundle() {
      for (const file of filesOf(target).filter((name) => COMPRESSED.test(name))) {
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
        rmSync(file);
      }
      const lines = [
        ...filesOf(SOURCE).map((file) => [file, `source/${relative(SOURCE, file)}`]),
        ...filesOf(target).map((file) => [file, `dist/${relative(target, file)}`]),
      ].map(([file, name]) => `${createHash("sha256").update(readFileSync(file)).digest("hex")}  ${name}\n`);
      writeFileSync(join(target, "BUILD"), lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join(""));
    },
  };
};

export default defineConfig({
  base: "/graphiql/",
  resolve: {
    alias: [
      { find: /^monaco-editor\/esm\/vs\/editor\/edcore\.main\.js$/, replacement: join(SOURCE, "monaco.js") },
      // The same module twice under two names.
      { find: /^prettier\/parser-graphql$/, replacement: "prettier/plugins/graphql" },
    ],
  },
  plugins: [...patches(), shipped()],
  build: {
    outDir: join(SOURCE, "../dist"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 4096,
    license: { fileName: "LICENSES.md" },
    rolldownOptions: {
      // Libraries mark modules for React's server components; there is no server here to mind.
      onwarn: (warning, report) => warning.code === "MODULE_LEVEL_DIRECTIVE" || report(warning),
    },
  },
});
