import pytest

from iwae.study.repeated import refuse_repeated_keys


def test_a_key_that_stands_twice_is_named_with_both_lines(refused, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("study: mine\ntraining:\n  stages: 2\n  seed: 0\n  stages: 8\n")
    assert refused(refuse_repeated_keys, path) == (
        f"{path}: the key training.stages stands on line 3 and again on line 5, where it would replace the first: keep "
        "one of them."
    )


@pytest.mark.parametrize("text", ["", "a: {b: 1}\nc: {b: 1}\n", "- a\n- a\n", "a: [", "\t:\x00"])
def test_other_files_are_for_their_reader(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    refuse_repeated_keys(path)
    refuse_repeated_keys(tmp_path / "missing.yaml")
