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

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ['src/action/main.ts', 'src/action/post.ts'],
  outdir: 'dist',
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  legalComments: 'eof',
  footer: { js: license('@actions/core') },
  plugins: [toolkitIsPure],
})

const files = new Map(outputFiles.map((file) => [file.path.slice(dist.length + 1), file.text]))
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

/** The licence of what is bundled, which asks to be kept with it. */
function license(name: string): string {
  const text = readFileSync(join(root, 'node_modules', name, 'LICENSE.md'), 'utf8')
  return `/*!\nContains parts of ${name}.\n\n${text.trim().replaceAll('*/', '* /')}\n*/`
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
