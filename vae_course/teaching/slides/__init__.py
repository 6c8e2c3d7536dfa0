"""Decks for the classroom, made from the lessons: HTML in one file that needs no network, and PDF."""
