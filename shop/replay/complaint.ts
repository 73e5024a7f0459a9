/** An error that a person is told as it is, with no stack; the program then ends with `exitCode`. */
export class Complaint extends Error {
  override readonly name = 'Complaint'
  readonly exitCode: 1 | 2

  /** 2: the command line or the file is wrong; 1: the shop is. */
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
