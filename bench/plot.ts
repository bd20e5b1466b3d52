const WIDTH = 720
const COLOURS = ['#4477aa', '#ee6677', '#228833', '#ccbb44', '#66ccee', '#aa3377']

/** A horizontal bar for each name. */
export function barChart(title: string, bars: readonly (readonly [name: string, value: number])[]): string {
  const most = Math.max(...bars.map(([, value]) => value))
  const rows = bars.map(([name, value], i) => {
    const y = 48 + i * 30
    const length = (value / most) * (WIDTH - 320)
    return `<text x="210" y="${y + 15}" text-anchor="end">${escaped(name)}</text>
<rect x="220" y="${y}" width="${length.toFixed(1)}" height="20" fill="${name === 'Till' ? COLOURS[1] : COLOURS[0]}"/>
<text x="${(226 + length).toFixed(1)}" y="${y + 15}">${value.toLocaleString('en')}</text>`
  })
  return svg(title, 60 + bars.length * 30, rows)
}

export interface Line {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  readonly isDashed: boolean
}

/** Lines over a linear x and a logarithmic y. Lines that follow each other as solid and dashed share a colour. */
export function lineChart(title: string, x: string, y: string, lines: readonly Line[]): string {
  const [left, top, right, bottom] = [60, 50, WIDTH - 150, 340]
  const points = lines.flatMap((line) => line.points)
  const mostX = Math.max(...points.map(([at]) => at))
  const exponents = points.map(([, value]) => Math.log10(value))
  const low = Math.floor(Math.min(...exponents))
  const high = Math.ceil(Math.max(...exponents))
  const atX = (value: number) => (left + (value / mostX) * (right - left)).toFixed(1)
  const atY = (value: number) => (bottom - ((Math.log10(value) - low) / (high - low)) * (bottom - top)).toFixed(1)
  const marks: string[] = []
  for (let exponent = low; exponent <= high; exponent++) {
    const value = 10 ** exponent
    marks.push(`<line x1="${left}" x2="${right}" y1="${atY(value)}" y2="${atY(value)}" stroke="#ddd"/>
<text x="${left - 8}" y="${Number(atY(value)) + 4}" text-anchor="end">${value} ${y}</text>`)
  }
  for (const [value] of lines[0]!.points)
    marks.push(`<text x="${atX(value)}" y="${bottom + 20}" text-anchor="middle">${value}</text>`)
  marks.push(`<text x="${(left + right) / 2}" y="${bottom + 42}" text-anchor="middle">${escaped(x)}</text>`)
  const drawn = lines.map((line, i) => {
    const path = line.points.map(([px, py]) => `${atX(px)},${atY(py)}`).join(' ')
    const colour = COLOURS[Math.floor(i / 2) % COLOURS.length]
    const dash = line.isDashed ? ' stroke-dasharray="5 4"' : ''
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>
<line x1="${right + 12}" x2="${right + 36}" y1="${top + i * 20}" y2="${top + i * 20}" stroke="${colour}" stroke-width="2"${dash}/>
<text x="${right + 42}" y="${top + i * 20 + 4}">${escaped(line.name)}</text>`
  })
  return svg(title, bottom + 60, [...marks, ...drawn])
}

function svg(title: string, height: number, content: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="20" y="28" font-size="16">${escaped(title)}</text>
${content.join('\n')}
</svg>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
