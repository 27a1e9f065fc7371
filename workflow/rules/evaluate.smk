# Measuring: four steps for each trained model, and each only for the models that lack its current result.
#
# in   <results>/<model>/model.safetensors and the data files
# out  <results>/<model>/{likelihood.npz,likelihood.csv,activity.csv,surgery.csv,pictures.npz}; every step also enters
#      itself into the model's manifest.json


rule evaluate_likelihood:
    input:
        model="<results>/{model}/model.safetensors",
        data=measured_data,
        outdated=outdated("likelihood"),
    output:
        "<results>/{model}/likelihood.npz",
        "<results>/{model}/likelihood.csv",
    log:
        "<logs>/likelihood/{model}.log",
    benchmark:
        "<logs>/likelihood/{model}.benchmark.tsv"
    wildcard_constraints:
        model=unfinished("likelihood"),
    threads: study.threads
    resources:
        gpu=GPU,
    params:
        folder=subpath(input.model, parent=True),
        data=study.data,
        samples=study.settings("likelihood").samples,
        test_images=study.settings("likelihood").test_images,
        train_images=study.settings("likelihood").train_images,
        seed=study.settings("likelihood").seed,
        device=study.device,
    shell:
        r"""
        exec python -m iwae --log {log} --end-with-parent likelihood \
            --model {params.folder} \
            --data {params.data} \
            --samples {params.samples} \
            --test-images {params.test_images} \
            --train-images {params.train_images} \
            --seed {params.seed} \
            --device {params.device} \
            --threads {threads}
        """


rule measure_activity:
    input:
        model="<results>/{model}/model.safetensors",
        data=measured_data,
        outdated=outdated("activity"),
    output:
        "<results>/{model}/activity.csv",
    log:
        "<logs>/activity/{model}.log",
    benchmark:
        "<logs>/activity/{model}.benchmark.tsv"
    wildcard_constraints:
        model=unfinished("activity"),
    threads: study.threads
    resources:
        gpu=GPU,
    params:
        folder=subpath(input.model, parent=True),
        data=study.data,
        samples=study.settings("activity").samples,
        authors_images=study.settings("activity").authors_images,
        seed=study.settings("activity").seed,
        device=study.device,
    shell:
        r"""
        exec python -m iwae --log {log} --end-with-parent activity \
            --model {params.folder} \
            --data {params.data} \
            --samples {params.samples} \
            --authors-images {params.authors_images} \
            --seed {params.seed} \
            --device {params.device} \
            --threads {threads}
        """


rule compute_surgery:
    input:
        model="<results>/{model}/model.safetensors",
        data=measured_data,
        outdated=outdated("surgery"),
    output:
        "<results>/{model}/surgery.csv",
    log:
        "<logs>/surgery/{model}.log",
    benchmark:
        "<logs>/surgery/{model}.benchmark.tsv"
    wildcard_constraints:
        model=unfinished("surgery"),
    threads: study.threads
    resources:
        gpu=GPU,
    params:
        folder=subpath(input.model, parent=True),
        data=study.data,
        samples=study.settings("surgery").samples,
        sizes=study.settings("surgery").sizes,
        seed=study.settings("surgery").seed,
        device=study.device,
    shell:
        r"""
        exec python -m iwae --log {log} --end-with-parent surgery \
            --model {params.folder} \
            --data {params.data} \
            --samples {params.samples} \
            --sizes {params.sizes} \
            --seed {params.seed} \
            --device {params.device} \
            --threads {threads}
        """


rule draw_pictures:
    input:
        model="<results>/{model}/model.safetensors",
        data=measured_data,
        outdated=outdated("pictures"),
    output:
        "<results>/{model}/pictures.npz",
    log:
        "<logs>/pictures/{model}.log",
    benchmark:
        "<logs>/pictures/{model}.benchmark.tsv"
    wildcard_constraints:
        model=unfinished("pictures"),
    threads: study.threads
    resources:
        gpu=GPU,
    params:
        folder=subpath(input.model, parent=True),
        data=study.data,
        samples=study.settings("pictures").samples,
        reconstructions=study.settings("pictures").reconstructions,
        seed=study.settings("pictures").seed,
        device=study.device,
    shell:
        r"""
        exec python -m iwae --log {log} --end-with-parent pictures \
            --model {params.folder} \
            --data {params.data} \
            --samples {params.samples} \
            --reconstructions {params.reconstructions} \
            --seed {params.seed} \
            --device {params.device} \
            --threads {threads}
        """
