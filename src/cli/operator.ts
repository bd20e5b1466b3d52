import { userInfo } from 'node:os'

/** Who acts, as it stands in events: `cli:` and the name of the user of this machine. */
export function operator(): string {
  return `cli:${userInfo().username}`
}
