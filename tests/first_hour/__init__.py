"""A first hour with Rollcall: the page that says it, gone through in a bare Debian, and the time that it takes."""
