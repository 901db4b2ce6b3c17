/** What is wrong with a file of a home, and where. */

/** One finding: `file` is relative to the home, `line` counts from 1. */
export type Problem = { file: string; line?: number; what: string }

/** `policy.yaml:7: unknown key "decison"; did you mean "decision"?` */
function formatProblem({ file, line, what }: Problem): string {
  return `${line === undefined ? file : `${file}:${line}`}: ${what}`
}

/** By file, then by line, each sentence once. */
export function formatProblems(problems: Problem[]): string[] {
  const sorted = problems.toSorted(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || (a.line ?? 0) - (b.line ?? 0),
  )
  return [...new Set(sorted.map(formatProblem))]
}
