/** What tokens are spent on. */

/** Everything that the cost of a call can be charged to. `run` is absent where no run asks (embeddings of sources). */
export type Purpose = {
  workspace: string
  channel: string
  thread: string
  user: string
  agent: string
  run?: string
  lane: 'interactive' | 'long' | 'background'
}
