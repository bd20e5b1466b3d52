import { catalogue } from '#domain/refusal.ts'

/** `docs/errors.md`: every code of the catalogue under a heading that links can name. */
export function errorsPage(): string {
  return `${[INTRODUCTION, overview(), ...Object.keys(catalogue).map((code) => section(code as Code))].join('\n\n')}\n`
}

type Code = keyof typeof catalogue

const INTRODUCTION = `<!-- Printed by scripts/print-docs.ts from src/domain/refusal.ts. Edit that. -->

# Errors

Every request that is not done is answered with one of these codes. On the data plane (\`/proxy/…\`) the code stands in the header \`till-error\` and in \`error.code\` of the body; an answer without that header is the provider's own. On the control plane (\`/v1/…\`) it is the field \`code\` of an \`application/problem+json\`. A code is never renamed. The sentence beside it says what was refused, with names and numbers, and may change.

A refused request costs nothing. Where a section says that an activation is spent, the request was on its way.

Codex repeats whatever is not a 400, so it gets a 400 where others get 403 or 410.`

function overview(): string {
  const rows = Object.entries(catalogue).map(
    ([code, entry]) => `| [\`${code}\`](#${code}) | ${statuses(code as Code)} | ${entry.title} |`,
  )
  return ['| code | status | |', '|---|---|---|', ...rows].join('\n')
}

function section(code: Code): string {
  const { title, meaning, remedy } = catalogue[code]
  return [`## ${code}`, `**${title}.** ${meaning}`, `**What to do.** ${remedy}`].join('\n\n')
}

function statuses(code: Code): string {
  const entry: { readonly status: number; readonly codex: number; readonly control?: number } = catalogue[code]
  const parts = [String(entry.status)]
  if (entry.codex !== entry.status) parts.push(`${entry.codex} for Codex`)
  if (entry.control !== undefined) parts.push(`${entry.control} on the control plane`)
  return parts.join(', ')
}
