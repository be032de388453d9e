"""How a claim of a paper is judged, and the page that says what came of its claims."""
