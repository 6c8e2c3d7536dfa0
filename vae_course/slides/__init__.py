"""Decks for the classroom, made from the lessons: one HTML file for each that needs no network, and its PDF."""
