/**
 * One request to GitHub's REST API, such as `request('GET /repos/{owner}/{repo}', { owner, repo })`: what every Octokit
 * has under this name.
 *
 * @throws an error with a `status`, for every answer of 400 and above
 */
export type Request = (route: string, parameters?: Readonly<Record<string, unknown>>) => Promise<Answer>

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what GitHub answers is checked where it is read
  readonly data: any
}

const PAGE = 100
/** 3000 entries: more comments than GitHub shows on one page, and few enough to read. */
const MOST_PAGES = 30

/**
 * Reads a list, page after page.
 *
 * @param entries takes the entries out of a page; a page is the list itself unless said otherwise
 */
export async function readAll<T>(
  request: Request,
  route: string,
  parameters: Readonly<Record<string, unknown>>,
  entries: (page: Answer['data']) => readonly T[] = (page) => page,
): Promise<T[]> {
  const all: T[] = []
  for (let page = 1; page <= MOST_PAGES; page++) {
    const { data } = await request(route, { ...parameters, per_page: PAGE, page })
    const read = entries(data)
    all.push(...read)
    if (read.length < PAGE) break
  }
  return all
}
