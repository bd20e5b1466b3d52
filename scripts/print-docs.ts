/** Prints `docs/errors.md` from the catalogue; with `--check` it only says whether the file is what would be printed. */
import { readFileSync, writeFileSync } from 'node:fs'
import { errorsPage } from './errors-page.ts'

const file = new URL('../docs/errors.md', import.meta.url)
const page = errorsPage()

if (!process.argv.includes('--check')) writeFileSync(file, page)
else if (current() !== page) {
  console.error('docs/errors.md is not what the catalogue says: run `npm run build` and commit it.')
  process.exitCode = 1
}

function current(): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
