/** What a set-up cannot do by itself: one sentence that says what is wrong, and what a person must do. */
export class SetUpError extends Error {
  name = 'SetUpError';

  /**
   * @param {string} message one sentence: what is wrong
   * @param {string} hint what to do about it; may have several lines
   */
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}
