"""`planhub.toml`: what is refused, in which words, and what is filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import Config, ConfigError, defaults_toml, load, parse, to_edge

PROVIDER = '[[providers]]\nid = "v"\ndialect = "openai"\nbase_url = "http://localhost:1/v1"\n'
MODEL = '[[models]]\nid = "m"\nprovider = "v"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "planhub.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    words = str(caught.value)
    assert words.startswith(f"{path}: ")
    assert "\n" not in words
    return words.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nhtpp = 1", "unknown key: server.htpp"),
        ("[[models]]\nid='m'\nprovider='v'\nwieght=1", "unknown key: models[0].wieght"),
        ("[defaults]\njudges = 6", "defaults.judges must be an integer between 1 and 5, got 6"),
        ("[server]\nmax_runs = 0",
         "server.max_runs must be an integer between 1 and 2147483647, got 0"),
        ("[server]\nhttp = '8080'", 'server.http must be HOST:PORT, got "8080"'),
        ("[server]\nhttp = 'h:99999'", 'server.http must be HOST:PORT, got "h:99999"'),
        (
            "[server]\ndatabase = 'postgresql://h/d'",
            'server.database must be a path, got "postgresql://h/d"',
        ),
        ("[defaults]\nmode = 'debate'",
         'defaults.mode must be one of adversarial, fuse, planning, refine, vote, got "debate"'),
        ("[defaults]\nmax_budget_usd = inf",
         "defaults.max_budget_usd must be a number between 0 and 1000000000, got inf"),
        ("[defaults]\nmax_budget_usd = nan",
         "defaults.max_budget_usd must be a number between 0 and 1000000000, got nan"),
        ("[[models]]\nid = 'm'",
         "models[0].provider is required: a non-empty string of at most 200 characters"),
        (PROVIDER.replace("openai", "bard") + MODEL,
         'providers[0].dialect must be one of anthropic, gemini, openai, simulated, got "bard"'),
        (PROVIDER + PROVIDER + MODEL, 'providers[1].id must be unique, got "v" twice'),
        (PROVIDER + MODEL + MODEL, 'models[1].id must be unique, got "m" twice'),
        (PROVIDER + MODEL.replace('"v"', '"w"'),
         'models[0].provider must be a provider\'s id (v), got "w"'),
        (PROVIDER,
         "models: at least one enabled [[models]] entry is needed, with its [[providers]]"),
        (PROVIDER + MODEL + "enabled = false",
         "models: at least one enabled [[models]] entry is needed, with its [[providers]]"),
        (PROVIDER + MODEL + "input_usd_per_mtok = 1",
         "models[0]: input_usd_per_mtok and output_usd_per_mtok must be given together"),
        (PROVIDER + MODEL + "free = true\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1",
         "models[0].free must be false where a price is given, got true"),
        (PROVIDER + MODEL + "[aliases]\na = 'b'", 'aliases.a must lead to a model\'s id, got "b"'),
        (PROVIDER + MODEL + "[aliases]\na = 'b'\nb = 'a'",
         "aliases.a must lead to a model, got a circle: a -> b -> a"),
        (PROVIDER + MODEL + "[aliases]\nm = 'm'", "aliases.m must not be the id of a model"),
        (PROVIDER + MODEL + "[defaults]\nreview_model_id = 'x'",
         'defaults.review_model_id must be a model\'s id or an alias, got "x"'),
        (PROVIDER + MODEL + "[defaults]\nvoter_model_ids = ['m', 'x']",
         'defaults.voter_model_ids[1] must be a model\'s id or an alias, got "x"'),
        (PROVIDER.replace("http://localhost:1/v1", "localhost:1") + MODEL,
         'providers[0].base_url must be an http:// or https:// address, got "localhost:1"'),
        (PROVIDER + "simulated = {}\n" + MODEL,
         "providers[0].simulated must be absent where the dialect is openai"),
    ],
)  # fmt: skip
def test_each_fault_has_its_words(tmp_path: Path, text: str, words: str) -> None:
    """An error is one line: the file, the key's path, what is allowed, the value."""
    assert refusal(tmp_path, text) == words


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    """The line and the column are named."""
    assert "line 2, column" in refusal(tmp_path, "[server]\nhttp = \n")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file or directory"):
        load(tmp_path / "nowhere.toml", {})


@pytest.mark.parametrize(
    "line", ['api_key_env = "sk-proj-abc123"', 'base_url = "https://u:sk-proj-abc123@h/v1"']
)
def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path, line: str) -> None:
    """Whoever writes the key itself into the file is told so without seeing it in a log."""
    words = refusal(tmp_path, f'[[providers]]\nid = "v"\ndialect = "openai"\n{line}\n{MODEL}')
    assert "sk-proj" not in words


def test_keys_come_from_the_environment(tmp_path: Path) -> None:
    """And never show themselves."""
    text = PROVIDER + 'api_key_env = "MY_KEY"\n' + MODEL
    config = load(written(tmp_path, text), {"MY_KEY": " secret\n"})
    assert config.keys["v"].reveal() == "secret"
    assert "secret" not in repr(config)
    assert not load(written(tmp_path, text), {"MY_KEY": " "}).keys


def test_the_example_of_every_default_is_a_file() -> None:
    """What `planhub check --defaults` prints is TOML, and says what an empty file means."""
    import tomllib

    text = defaults_toml()
    assert parse(tomllib.loads(text)) == parse({})
    for key in ("max_request_bytes = 8388608", 'durability = "process"', "# api_key_env ="):
        assert key in text


# --- without a file ---------------------------------------------------------------------------


def without_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **env: str) -> Config:
    monkeypatch.chdir(tmp_path)
    return load(None, env)


EXAMPLE_NAMES = {"claude-opus", "claude-sonnet", "gpt-4", "gpt-3.5-turbo"}


@pytest.mark.parametrize(
    ("env", "providers"),
    [
        ({"OPENAI_API_KEY": "k"}, ["openai"]),
        ({"ANTHROPIC_API_KEY": "k"}, ["anthropic"]),
        ({"GEMINI_API_KEY": "k"}, ["gemini"]),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, ["openai", "anthropic"]),
        ({"OPENAI_API_KEY": ""}, ["simulated"]),
        ({}, ["simulated"]),
    ],
)
def test_the_environment_sets_vendors_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, env: dict[str, str], providers: list[str]
) -> None:
    """The vendors whose keys are set, else the simulated one; the names of examples work in all,
    and a run may cost a dollar.
    """
    config = without_file(monkeypatch, tmp_path, **env)
    assert [provider.id for provider in config.providers] == providers
    assert config.is_simulated == (providers == ["simulated"])
    edge = to_edge(config)
    assert {edge.model(name) for name in EXAMPLE_NAMES} <= edge.models
    assert edge.limit_nano == 1_000_000_000
    assert max(row.weight for row in config.models) >= 9


def test_a_vendor_may_be_reached_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = without_file(
        monkeypatch, tmp_path, OPENAI_API_KEY="k", OPENAI_BASE_URL="http://gateway/v1"
    )
    assert config.providers[0].url == "http://gateway/v1"
    assert set(config.keys) == {"openai"}


def test_the_file_of_the_folder_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written(tmp_path, PROVIDER + MODEL)
    config = without_file(monkeypatch, tmp_path, OPENAI_API_KEY="k")
    assert [provider.id for provider in config.providers] == ["v"]
    assert config.defaults.max_budget_usd is None


def test_the_example_is_valid() -> None:
    """`planhub.example.toml` can be copied as it stands."""
    config = load(Path(__file__).parents[3] / "planhub.example.toml", {})
    assert {provider.id for provider in config.providers} == {
        "openai",
        "anthropic",
        "google",
        "local",
    }
    assert not config.is_simulated
