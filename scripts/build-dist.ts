/**
 * Builds `dist/`, which is what `uses:` runs, from `src/action/`. The same source gives the same bytes.
 *
 * With `--check` nothing is written, and the exit status is 1 when `dist/` is not what its source gives.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build, type Plugin } from 'esbuild'

const root = dirname(import.meta.dirname)
const dist = join(root, 'dist')

/**
 * `@actions/core` does not declare that its modules have no side effects, so that a bundler keeps all of them, undici
 * too, for the seven functions that are used. They have none: 4 KB instead of 825.
 */
const toolkitIsPure: Plugin = {
  name: 'toolkit-is-pure',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /.*/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (pluginData === toolkitIsPure || kind === 'entry-point') return undefined
      const resolved = await resolve(path, { importer, resolveDir, kind, pluginData: toolkitIsPure })
      const isToolkit = /[\\/]node_modules[\\/]@actions[\\/]/.test(resolved.path)
      return isToolkit || resolved.external ? { ...resolved, sideEffects: false } : resolved
    })
  },
}

/** What post loads when a comment is to be written, and not before: a file of its own. */
const commentApart: Plugin = {
  name: 'comment-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/comment\.ts$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './comment.js', external: true } : undefined,
    )
  },
}

const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/action/main.ts', 'src/action/post.ts', 'src/action/comment.ts'],
  outdir: 'dist',
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  metafile: true,
  legalComments: 'eof',
  plugins: [commentApart, toolkitIsPure],
})

const files = new Map(
  outputFiles.map(({ path, text }) => {
    const name = path.slice(dist.length + 1)
    return [name, requireFor(text) + text + licenses(`dist/${name}`)]
  }),
)
if (process.argv.includes('--check')) {
  const stale = [...new Set([...files.keys(), ...committed()])].filter((name) => read(name) !== files.get(name))
  if (stale.length > 0) {
    console.error(`dist/ is not what its source gives: ${stale.join(', ')}. Run \`npm run build\` and commit dist/.`)
    process.exitCode = 1
  }
} else {
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  for (const [name, text] of files) writeFileSync(join(dist, name), text)
}

/** CommonJS in what is bundled asks for Node's own modules in its own way, which an ES module does not have. */
function requireFor(text: string): string {
  return text.includes('__require(')
    ? "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);\n"
    : ''
}

/** The licences of what is bundled, which ask to be kept with it. */
function licenses(output: string): string {
  const folders = new Set(
    Object.entries(metafile.outputs[output]!.inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([path]) => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
      .filter((folder) => folder !== undefined),
  )
  return [...folders].sort().map(license).join('')
}

function license(folder: string): string {
  const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e(\.|$)/i.test(name))
  if (!file) throw new Error(`Cannot bundle ${folder}: its licence is not there`)
  const text = readFileSync(join(root, folder, file), 'utf8')
    .trim()
    .replaceAll('*/', '* /')
  return `/*!\nContains parts of ${folder.slice('node_modules/'.length)}.\n\n${text}\n*/\n`
}

function committed(): string[] {
  try {
    return readdirSync(dist)
  } catch {
    return []
  }
}

function read(name: string): string | undefined {
  try {
    return readFileSync(join(dist, name), 'utf8')
  } catch {
    return undefined
  }
}
