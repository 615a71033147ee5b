"""tk report: the page that shows what was found."""
