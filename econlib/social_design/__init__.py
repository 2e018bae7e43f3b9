"""Social environment design: a commons, an income tax, votes, and the loop of them."""
