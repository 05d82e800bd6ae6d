//! The table of data sets.

use super::{Official, OfficialFile};

const fn file(name: &'static str, md5: &'static str) -> OfficialFile {
    OfficialFile { name, md5 }
}

/// Well-known data sets that a source reads.
pub const OFFICIAL: &[Official] = &[
    Official {
        name: "cifar-10",
        what: "60,000 pictures of 32 x 32 pixels in 10 classes",
        address: "https://www.cs.toronto.edu/~kriz/",
        files: &[
            file("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
            file("cifar-10-binary.tar.gz", ""),
        ],
        any: true,
        declared: "cifar = { path = \"DIR/cifar-10-python.tar.gz\" }",
    },
    Official {
        name: "cifar-100",
        what: "60,000 pictures of 32 x 32 pixels in 100 classes, 20 superclasses",
        address: "https://www.cs.toronto.edu/~kriz/",
        files: &[
            file("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
            file("cifar-100-binary.tar.gz", ""),
        ],
        any: true,
        declared: "cifar = { path = \"DIR/cifar-100-python.tar.gz\", labels = \"fine\" }",
    },
    Official {
        name: "mnist",
        what: "70,000 handwritten digits of 28 x 28 pixels",
        address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
        files: &[
            file("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            file("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
            file("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
            file("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
        ],
        any: false,
        declared: "idx = { path = \"DIR\" }",
    },
    Official {
        name: "fashion-mnist",
        what: "70,000 pieces of clothing of 28 x 28 pixels",
        address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files: &[
            file("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            file("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
            file("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
            file("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
        ],
        any: false,
        declared: "idx = { path = \"DIR\" }",
    },
    Official {
        name: "kmnist",
        what: "70,000 Japanese characters of 28 x 28 pixels, 10 classes",
        address: "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        files: &[
            file("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
            file("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
            file("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
            file("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
        ],
        any: false,
        declared: "idx = { path = \"DIR\" }",
    },
    Official {
        name: "emnist",
        what: "handwritten letters and digits of 28 x 28 pixels, six splits (unpack it)",
        address: "https://biometrics.nist.gov/cs_links/EMNIST/",
        files: &[file("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e")],
        any: false,
        declared: "idx = { path = \"DIR/gzip\", prefix = \"emnist-letters\", transposed = true, \
                   first-label = 1 }",
    },
    Official {
        name: "stl10",
        what: "13,000 labelled pictures of 96 x 96 pixels in 10 classes (unpack it)",
        address: "http://ai.stanford.edu/~acoates/stl10/",
        files: &[file("stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb")],
        any: false,
        declared: "stl10 = { path = \"DIR\" }",
    },
    Official {
        name: "svhn",
        what: "99,289 house numbers, cropped to 32 x 32 pixels",
        address: "http://ufldl.stanford.edu/housenumbers/",
        files: &[
            file("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            file("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
        ],
        any: false,
        declared: "svhn = { path = \"DIR\" }",
    },
    Official {
        name: "tiny-imagenet",
        what: "110,000 labelled pictures of 64 x 64 pixels in 200 classes (unpack it)",
        address: "http://cs231n.stanford.edu/",
        files: &[file("tiny-imagenet-200.zip", "")],
        any: false,
        declared: "tiny-imagenet = { path = \"DIR/tiny-imagenet-200\" }",
    },
    Official {
        name: "imagenet",
        what: "ILSVRC 2012: 1.3 million pictures in 1,000 classes (ask for access, unpack them)",
        address: "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php",
        files: &[
            file("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
            file("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
            file("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
        ],
        any: false,
        declared: "imagenet = { train = \"DIR/train\", test = \"DIR/val\", \
                   map = \"DIR/LOC_val_solution.csv\" }",
    },
    Official {
        name: "pathmnist",
        what: "MedMNIST: 107,180 pictures of 28 to 224 pixels in 9 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("pathmnist.npz", "a8b06965200029087d5bd730944a56c1"),
            file("pathmnist_64.npz", "55aa9c1e0525abe5a6b9d8343a507616"),
            file("pathmnist_128.npz", "ac42d08fb904d92c244187169d1fd1d9"),
            file("pathmnist_224.npz", "2c51a510bcdc9cf8ddb2af93af1eadec"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/pathmnist.npz\" }",
    },
    Official {
        name: "dermamnist",
        what: "MedMNIST: 10,015 pictures of 28 to 224 pixels in 7 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("dermamnist.npz", "0744692d530f8e62ec473284d019b0c7"),
            file("dermamnist_64.npz", "b70a2f5635c6199aeaa28c31d7202e1f"),
            file("dermamnist_128.npz", "2defd784463fa5243564e855ed717de1"),
            file("dermamnist_224.npz", "8974907d8e169bef5f5b96bc506ae45d"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/dermamnist.npz\" }",
    },
    Official {
        name: "octmnist",
        what: "MedMNIST: 109,309 pictures of 28 to 224 pixels in 4 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("octmnist.npz", "c68d92d5b585d8d81f7112f81e2d0842"),
            file("octmnist_64.npz", "e229e9440236b774d9f0dfef9d07bdaf"),
            file("octmnist_128.npz", "0a97e76651ace45c5d943ee3f65b63ae"),
            file("octmnist_224.npz", "abc493b6d529d5de7569faaef2773ba3"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/octmnist.npz\" }",
    },
    Official {
        name: "pneumoniamnist",
        what: "MedMNIST: 5,856 pictures of 28 to 224 pixels in 2 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("pneumoniamnist.npz", "28209eda62fecd6e6a2d98b1501bb15f"),
            file("pneumoniamnist_64.npz", "8f4eceb4ccffa70c672198ea285246c6"),
            file("pneumoniamnist_128.npz", "05b46931834c231683c68f40c47b2971"),
            file("pneumoniamnist_224.npz", "d6a3c71de1b945ea11211b03746c1fe1"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/pneumoniamnist.npz\" }",
    },
    Official {
        name: "retinamnist",
        what: "MedMNIST: 1,600 pictures of 28 to 224 pixels in 5 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("retinamnist.npz", "bd4c0672f1bba3e3a89f0e4e876791e4"),
            file("retinamnist_64.npz", "afda852cc34dcda56f86ad2b2457dbcc"),
            file("retinamnist_128.npz", "e48e916a24454daf90583d4e6efb1a18"),
            file("retinamnist_224.npz", "eae7e3b6f3fcbda4ae613ebdcbe35348"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/retinamnist.npz\" }",
    },
    Official {
        name: "breastmnist",
        what: "MedMNIST: 780 pictures of 28 to 224 pixels in 2 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("breastmnist.npz", "750601b1f35ba3300ea97c75c52ff8f6"),
            file("breastmnist_64.npz", "742edef2a1fd1524b2efff4bd7ba9364"),
            file("breastmnist_128.npz", "363e4b3f8d712e9b5de15470a2aaadf1"),
            file("breastmnist_224.npz", "b56378a6eefa9fed602bb16d192d4c8b"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/breastmnist.npz\" }",
    },
    Official {
        name: "bloodmnist",
        what: "MedMNIST: 17,092 pictures of 28 to 224 pixels in 8 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("bloodmnist.npz", "7053d0359d879ad8a5505303e11de1dc"),
            file("bloodmnist_64.npz", "2b94928a2ae4916078ca51e05b6b800b"),
            file("bloodmnist_128.npz", "adace1e0ed228fccda1f39692059dd4c"),
            file("bloodmnist_224.npz", "b718ff6835fcbdb22ba9eacccd7b2601"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/bloodmnist.npz\" }",
    },
    Official {
        name: "tissuemnist",
        what: "MedMNIST: 236,386 pictures of 28 to 224 pixels in 8 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("tissuemnist.npz", "ebe78ee8b05294063de985d821c1c34b"),
            file("tissuemnist_64.npz", "123ece2eba09d0aa5d698fda57103344"),
            file("tissuemnist_128.npz", "61b955355d7425a89687b06cca3ce0c2"),
            file("tissuemnist_224.npz", "b077128c4a949f0a4eb01517f9037b9c"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/tissuemnist.npz\" }",
    },
    Official {
        name: "organamnist",
        what: "MedMNIST: 58,830 pictures of 28 to 224 pixels in 11 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("organamnist.npz", "68e3f8846a6bd62f0c9bf841c0d9eacc"),
            file("organamnist_64.npz", "2dcccc29b88e6da5a01161ef20cda288"),
            file("organamnist_128.npz", "eeae80d0a227a8d099027e1b3cfd3b60"),
            file("organamnist_224.npz", "50747347e05c87dd3aaf92c49f9f3170"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/organamnist.npz\" }",
    },
    Official {
        name: "organcmnist",
        what: "MedMNIST: 23,583 pictures of 28 to 224 pixels in 11 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("organcmnist.npz", "b9ceb9546e10131b32923c5bbeaea2b1"),
            file("organcmnist_64.npz", "3ce34a8724ea6f548e6db4744d03b6a9"),
            file("organcmnist_128.npz", "773c1f009daa3fe5d9a2a201b2a7ed94"),
            file("organcmnist_224.npz", "050f5e875dc056f6768abf94ec9995d1"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/organcmnist.npz\" }",
    },
    Official {
        name: "organsmnist",
        what: "MedMNIST: 25,211 pictures of 28 to 224 pixels in 11 classes",
        address: "https://zenodo.org/records/10519652/files/",
        files: &[
            file("organsmnist.npz", "9ab87b696fb54e2a387ebe992d6ed5f1"),
            file("organsmnist_64.npz", "53a6d115339d874c25e309a994ff46d3"),
            file("organsmnist_128.npz", "ded0c5fa01a95dc4978b956f613e9b8e"),
            file("organsmnist_224.npz", "b354719e553fbbb2513d5533f52a4cb1"),
        ],
        any: true,
        declared: "medmnist = { path = \"DIR/organsmnist.npz\" }",
    },
];
