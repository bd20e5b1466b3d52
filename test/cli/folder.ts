import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A folder of its own for a test, removed when the test has finished. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'till-cli-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Changes a file in place; fails when what is to be replaced does not stand there. */
export function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`${path} does not hold ${JSON.stringify(from)}`)
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
}

/** The smallest configuration that starts, on ports that are free, with an issuer that is not there. */
export const CONFIG = `public_url: http://127.0.0.1:4100
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
issuers: [http://127.0.0.1:9]
providers:
  openai: { credential: env:OPENAI_API_KEY }
  groq: { credential: stored }
policies:
  - name: review
    repository_id: "101"
    providers: [openai]
    activations: 50
  - name: docs
    repository_id: "101"
    claims: { event_name: issue_comment }
    providers: [openai, groq]
    activations: 5
    models: ["gpt-5-*"]
`

export function configured(): string {
  const cwd = folder()
  writeFileSync(join(cwd, 'till.yaml'), CONFIG)
  return cwd
}
