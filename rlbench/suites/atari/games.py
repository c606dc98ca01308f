"""The 57 Atari games: ROM, its checksum, and the scores of random play and of a human.

The reference scores are those of the Atari 57 benchmark as they stand, alike, in two public
sources: ``baselines.yaml`` of danijar/dreamerv3 (commit e3f0224) and ``dqn_zoo/atari_data.py`` of
google-deepmind/dqn_zoo (commit 359945d); for the 26 games of Atari 100k, Table 1 of Alonso et al.
2024 (DIAMOND) agrees too. Tables in the wild differ on the random score of Skiing (-16679.9),
VideoPinball (0 in the table of MuZero and Agent57) and Riverraid (1339); none of these is among
the 26. The checksums are those that ale-py ships beside its ROMs.
"""

from typing import NamedTuple

REFERENCE_SOURCE = (
    "danijar/dreamerv3@e3f0224 baselines.yaml and google-deepmind/dqn_zoo@359945d atari_data.py, "
    "alike; on the 26 games also Alonso et al. 2024, Table 1"
)


class Game(NamedTuple):
    """One game; scores are returns of one episode."""

    name: str
    rom: str
    rom_md5: str
    random: float
    human: float


GAMES = (
    Game("Alien", "alien", "f1a0a23e6464d954e3a9579c4ccd01c8", 227.8, 7127.7),
    Game("Amidar", "amidar", "acb7750b4d0c4bd34969802a7deb2990", 5.8, 1719.5),
    Game("Assault", "assault", "de78b3a064d374390ac0710f95edde92", 222.4, 742.0),
    Game("Asterix", "asterix", "89a68746eff7f266bbf08de2483abe55", 210.0, 8503.3),
    Game("Asteroids", "asteroids", "ccbd36746ed4525821a8083b0d6d2c2c", 719.1, 47388.7),
    Game("Atlantis", "atlantis", "9ad36e699ef6f45d9eb6c4cf90475c9f", 12850.0, 29028.1),
    Game("BankHeist", "bank_heist", "00ce0bdd43aed84a983bef38fe7f5ee3", 14.2, 753.1),
    Game("BattleZone", "battle_zone", "41f252a66c6301f1e8ab3612c19bc5d4", 2360.0, 37187.5),
    Game("BeamRider", "beam_rider", "79ab4123a83dc11d468fb2108ea09e2e", 363.9, 16926.5),
    Game("Berzerk", "berzerk", "136f75c4dd02c29283752b7e5799f978", 123.7, 2630.4),
    Game("Bowling", "bowling", "c9b7afad3bfd922e006a6bfc1d4f3fe7", 23.1, 160.7),
    Game("Boxing", "boxing", "c3ef5c4653212088eda54dc91d787870", 0.1, 12.1),
    Game("Breakout", "breakout", "f34f08e5eb96e500e851a80be3277a56", 1.7, 30.5),
    Game("Centipede", "centipede", "91c2098e88a6b13f977af8c003e0bca5", 2090.9, 12017.0),
    Game("ChopperCommand", "chopper_command", "c1cb228470a87beb5f36e90ac745da26", 811.0, 7387.8),
    Game("CrazyClimber", "crazy_climber", "55ef7b65066428367844342ed59f956c", 10780.5, 35829.4),
    Game("Defender", "defender", "0f643c34e40e3f1daafd9c524d3ffe64", 2874.5, 18688.9),
    Game("DemonAttack", "demon_attack", "f0e0addc07971561ab80d9abe1b8d333", 152.1, 1971.0),
    Game("DoubleDunk", "double_dunk", "368d88a6c071caba60b4f778615aae94", -18.6, -16.4),
    Game("Enduro", "enduro", "94b92a882f6dbaa6993a46e2dcc58402", 0.0, 860.5),
    Game("FishingDerby", "fishing_derby", "b8865f05676e64f3bec72b9defdacfa7", -91.7, -38.7),
    Game("Freeway", "freeway", "8e0ab801b1705a740b476b7f588c6d16", 0.0, 29.6),
    Game("Frostbite", "frostbite", "4ca73eb959299471788f0b685c3ba0b5", 65.2, 4334.7),
    Game("Gopher", "gopher", "c16c79aad6272baffb8aae9a7fff0864", 257.6, 2412.5),
    Game("Gravitar", "gravitar", "8ac18076d01a6b63acf6e2cab4968940", 173.0, 3351.4),
    Game("Hero", "hero", "fca4a5be1251927027f2c24774a02160", 1027.0, 30826.4),
    Game("IceHockey", "ice_hockey", "a4c08c4994eb9d24fb78be1793e82e26", -11.2, 0.9),
    Game("Jamesbond", "jamesbond", "e51030251e440cffaab1ac63438b44ae", 29.0, 302.8),
    Game("Kangaroo", "kangaroo", "4326edb70ff20d0ee5ba58fa5cb09d60", 52.0, 3035.0),
    Game("Krull", "krull", "4baada22435320d185c95b7dd2bcdb24", 1598.0, 2665.5),
    Game("KungFuMaster", "kung_fu_master", "5b92a93b23523ff16e2789b820e2a4c5", 258.5, 22736.3),
    Game("MontezumaRevenge", "montezuma_revenge", "3347a6dd59049b15a38394aa2dafa585", 0.0, 4753.3),
    Game("MsPacman", "ms_pacman", "87e79cd41ce136fd4f72cc6e2c161bee", 307.3, 6951.6),
    Game("NameThisGame", "name_this_game", "36306070f0c90a72461551a7a4f3a209", 2292.3, 8049.0),
    Game("Phoenix", "phoenix", "7e52a95074a66640fcfde124fffd491a", 761.4, 7242.6),
    Game("Pitfall", "pitfall", "3e90cf23106f2e08b2781e41299de556", -229.4, 6463.7),
    Game("Pong", "pong", "60e0ea3cbe0913d39803477945e9e5ec", -20.7, 14.6),
    Game("PrivateEye", "private_eye", "ef3a4f64b6494ba770862768caf04b86", 24.9, 69571.3),
    Game("Qbert", "qbert", "484b0076816a104875e00467d431c2d2", 163.9, 13455.0),
    Game("Riverraid", "riverraid", "393948436d1f4cc3192410bb918f9724", 1338.5, 17118.0),
    Game("RoadRunner", "road_runner", "ce5cc62608be2cd3ed8abd844efb8919", 11.5, 7845.0),
    Game("Robotank", "robotank", "4f618c2429138e0280969193ed6c107e", 2.2, 11.9),
    Game("Seaquest", "seaquest", "240bfbac5163af4df5ae713985386f92", 68.4, 42054.7),
    Game("Skiing", "skiing", "b76fbadc8ffb1f83e2ca08b6fb4d6c9f", -17098.1, -4336.9),
    Game("Solaris", "solaris", "e72eb8d4410152bdcb69e7fba327b420", 1236.3, 12326.7),
    Game("SpaceInvaders", "space_invaders", "72ffbef6504b75e69ee1045af9075f66", 148.0, 1668.7),
    Game("StarGunner", "star_gunner", "a3c1c70024d7aabb41381adbfb6d3b25", 664.0, 10250.0),
    Game("Surround", "surround", "4d7517ae69f95cfbc053be01312b7dba", -10.0, 6.5),
    Game("Tennis", "tennis", "42cdd6a9e42a3639e190722b8ea3fc51", -23.8, -8.3),
    Game("TimePilot", "time_pilot", "fc2104dd2dadf9a6176c1c1c8f87ced9", 3568.0, 5229.2),
    Game("Tutankham", "tutankham", "085322bae40d904f53bdcc56df0593fc", 11.4, 167.6),
    Game("UpNDown", "up_n_down", "a499d720e7ee35c62424de882a3351b6", 533.4, 11693.2),
    Game("Venture", "venture", "3e899eba0ca8cd2972da1ae5479b4f0d", 0.0, 1187.5),
    Game("VideoPinball", "video_pinball", "107cc025334211e6d29da0b6be46aec7", 16256.9, 17667.9),
    Game("WizardOfWor", "wizard_of_wor", "7e8aa18bc9502eb57daaf5e7c1e94da7", 563.5, 4756.5),
    Game("YarsRevenge", "yars_revenge", "c5930d0e8cdae3e037349bfa08e871be", 3092.9, 54576.9),
    Game("Zaxxon", "zaxxon", "eea0da9b987d661264cce69a7c13c3bd", 32.5, 9173.3),
)
