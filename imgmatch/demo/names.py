"""Invented display names and countries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_BOTH_NAMES, _WITH_INITIAL = 0.6, 0.85


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = _words("BR CA DE ES FR GB GH ID IE IN IT JP KE MA MX NG NL PH PL US")

_FIRST = _words("""
Ada Adebayo Aiko Aisha Alma Amara Amir Ana Andrzej Anouk Arjun Asha Astrid Beatriz Bilal Bruno Camille Carlos Chidi
Chloe Dalia Daniel Diego Dewi Elena Elif Emeka Emil Esther Farah Felix Finn Freya Gabriel Giulia Grace Hana Hassan
Hiroshi Imani Ines Isaac Ivana Jamal Jasper Jonas Julia Kaito Karim Kofi Lena Leila Liam Lucia Luka Mai Malik Marek
Maya Mei Mila Mateo Nadia Naomi Nikhil Nora Olga Omar Oscar Paulo Petra Priya Rafael Ravi Rosa Ruben Samira Sanjay
Sofia Soren Tala Teo Tomas Uma Valeria Victor Wanjiru Willem Yara Yusuf Zainab Zoe
""")

_LAST = _words("""
Abara Alvarez Andersen Asante Baker Banerjee Barros Bianchi Boateng Brennan Castillo Chandra Cohen Costa Daly Dias
Dubois Eriksen Fernandez Fischer Fontaine Garcia Gupta Hadid Haddad Hansen Hoffmann Ibrahim Ito Jansen Kamau Keller
Khan Kim Kovac Kowalski Lambert Larsen Lopes Marino Martin Mbeki Mendes Meyer Mori Moreau Nair Nakamura Ncube Novak
Obi Okafor Olsen Ortiz Osei Park Patel Pereira Popescu Quinn Rahman Reyes Ricci Rossi Santos Sato Schmidt Silva
Singh Suzuki Takeda Torres Vargas Verma Visser Walker Wood Yilmaz Zhang
""")


def display_name(rng: np.random.Generator) -> str:
    """Invents a name as people write it on a profile: in full, with an initial, or the first name and a number."""
    first, last = _FIRST[rng.integers(len(_FIRST))], _LAST[rng.integers(len(_LAST))]
    style = rng.random()
    if style < _BOTH_NAMES:
        return f"{first} {last}"
    if style < _WITH_INITIAL:
        return f"{first} {last[0]}."
    return f"{first.lower()}{last.lower()[:3]}{rng.integers(70, 100)}"


def country(rng: np.random.Generator) -> str:
    """Picks a two-letter country code."""
    return COUNTRIES[rng.integers(len(COUNTRIES))]
