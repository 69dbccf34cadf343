"""Where samples go: each sink brings them to one back end and says what became of each."""
