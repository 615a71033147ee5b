"""tk submit, tk check, tk score and tk lb: submission files and the leaderboard."""
