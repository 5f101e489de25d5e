# The book's commands; `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
# A run must not depend on the number of cores it finds; warnings of libraries are not the reader's.
export PYTHONHASHSEED := 0
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: help book test check changes run serve lab pdf worksheets slides bench lighthouse lock retarget format clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Stamped with the lock's content: a changed lock rebuilds the environment, a touched one does not.
# (macOS has shasum.)
STAMP := .venv/$(shell { sha256sum requirements.txt || shasum -a 256 requirements.txt; } 2>/dev/null | cut -c1-12)
$(STAMP):
	$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("Python 3.11 to 3.13 is needed; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.13")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

book: $(STAMP)  ## build the HTML from the stored outputs (a warning fails it)
	$(BIN)/jupyter-book build -W -n --keep-going .
	@echo "Open _build/html/index.html, or run 'make serve'."

# One thread for each worker: threads that wait for one another only take time from the other workers.
# Three workers for two cores, because those that look at pages often wait for the browser. conftest.py
# puts the longest files first.
test: export OMP_NUM_THREADS := 1
test: export OPENBLAS_NUM_THREADS := 1
test: export TF_NUM_INTRAOP_THREADS := 1
test: export TF_NUM_INTEROP_THREADS := 1
test: $(STAMP) book  ## run every check: code, chapters' structure, stored outputs, built pages (half: PART=chapters or tests)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PART)

check: $(STAMP)  ## after a change of prose: form, rules and page (one: make check CHAPTER=tied-weights)
	@$(BIN)/python -m output_check.check $(CHAPTER)

changes: $(STAMP)  ## show every output that differs from main, old and new (another: make changes BASE=v1.0.0)
	@$(BIN)/python -m tools.changes $(BASE)

run: $(STAMP)  ## re-execute the chapters in place, and measure their numbers (one: make run CHAPTER=linear-autoencoder)
	$(BIN)/python -m tools.run $(CHAPTER)
	$(BIN)/python -m output_check.measure $(CHAPTER)

serve: book  ## serve the built book on http://127.0.0.1:8000
	$(BIN)/python -m tools.serve --port $(PORT)

pdf: book  ## print the whole book as _build/html/autoencoders-measured.pdf (needs Chromium)
	$(BIN)/python -m tools.pdf

lab: $(STAMP)  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab --ip 127.0.0.1 chapters

worksheets: $(STAMP)  ## write the chapters with checks in place of solutions into _build/html/worksheets
	$(BIN)/python -m tools.worksheets

slides: book  ## write a deck of slides for each chapter into _build/slides
	$(BIN)/python -m tools.slides

bench: $(STAMP)  ## time the training and the chapters and the check on an idle machine (an hour)
	$(BIN)/python -m benchmarks.time_to_quality
	$(BIN)/python -m benchmarks.chapters
	$(BIN)/python -m benchmarks.check

lighthouse: book  ## measure the built pages on a simulated phone (needs Node.js and Chromium)
	$(BIN)/python -m tools.lighthouse

lock:  ## update requirements.txt (needs uv)
	uv pip compile pyproject.toml --extra cpu --group notebook --group book --group test \
	  --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements.txt

format: $(STAMP)  ## format the code, and normalise the notebooks without running them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m tools.normalise

retarget: $(STAMP)  ## point every link at your fork: make retarget URL=https://github.com/you/book
	$(BIN)/python -m tools.retarget $(URL)

clean:  ## remove what was built
	rm -rf _build .venv
