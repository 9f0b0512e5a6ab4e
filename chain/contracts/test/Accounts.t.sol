// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

/// @notice A wallet that takes one digest, whatever the signature.
contract Wallet {
    bytes32 public immutable accepted;

    constructor(bytes32 digest) {
        accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == accepted ? this.isValidSignature.selector : bytes4(0);
    }
}

contract AccountsTest is Clinic {
    string private constant NAMING = "NameFolder(address author,uint16 folder,bytes32 name,uint64 serial)";
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    address private immutable recovery = vm.addr(0x4EC);
    address private immutable successor = vm.addr(0x5CC);

    function _key(string memory seed) private pure returns (bytes memory key) {
        key = new bytes(1217);
        bytes32 word = keccak256(bytes(seed));
        for (uint256 i = 0; i < 32; ++i) {
            key[i] = word[i];
        }
    }

    function _naming(address author) private pure returns (IMedRec.NameFolder memory) {
        return IMedRec.NameFolder(author, 1, keccak256("name"), 1);
    }

    function _replacement(uint32 generation) private view returns (IMedRec.ReplaceKeys memory) {
        return IMedRec.ReplaceKeys(patient, generation, successor, _key("next"), keccak256("envelopes"));
    }

    function _replace() private {
        vm.prank(patient);
        medrec.replaceKeys(_replacement(1), "");
    }

    function _nameRecovery(address by, address named, uint64 serial) private {
        vm.prank(by);
        medrec.nameRecovery(IMedRec.NameRecovery(patient, named, serial), "");
    }

    // ------------------------------------------------------------------------------------------------------ signatures

    function test_AnybodySendsASignedAct() public {
        IMedRec.NameFolder memory act = _naming(patient);
        bytes memory signature = _sign(PATIENT_KEY, NAMING, abi.encode(act));
        vm.prank(stranger);
        medrec.nameFolder(act, signature);
        (, uint64 serial) = medrec.folderOf(patient, 1);
        vm.assertEq(serial, 1);
    }

    function test_OnlyTheSignerSendsUnsigned() public {
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        vm.prank(stranger);
        medrec.nameFolder(_naming(patient), "");
    }

    function testFuzz_AnotherKeyIsRefused(uint256 key) public {
        key = 1 + key % (ORDER - 1);
        vm.assume(key != PATIENT_KEY);
        IMedRec.NameFolder memory act = _naming(patient);
        bytes memory signature = _sign(key, NAMING, abi.encode(act));
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        medrec.nameFolder(act, signature);
    }

    function testFuzz_AChangedActIsRefused(uint16 folder, bytes32 name, uint64 serial) public {
        IMedRec.NameFolder memory act = _naming(patient);
        vm.assume(folder != act.folder || name != act.name || serial != act.serial);
        bytes memory signature = _sign(PATIENT_KEY, NAMING, abi.encode(act));
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        medrec.nameFolder(IMedRec.NameFolder(patient, folder, name, serial), signature);
    }

    function test_TheOtherHalfOfACurveIsRefused() public {
        IMedRec.NameFolder memory act = _naming(patient);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PATIENT_KEY, _digest(NAMING, abi.encode(act)));
        bytes memory mirrored = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        medrec.nameFolder(act, mirrored);
    }

    function testFuzz_SignaturesOfOtherLengthsAreRefused(bytes calldata signature) public {
        vm.assume(signature.length != 0);
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        medrec.nameFolder(_naming(patient), signature);
    }

    function test_AWalletSignsByItsOwnRule() public {
        address wallet = address(0x3A11E7);
        IMedRec.NameFolder memory act = _naming(wallet);
        vm.etch(wallet, address(new Wallet(_digest(NAMING, abi.encode(act)))).code);
        medrec.nameFolder(act, "anything");
        act.serial = 2;
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, wallet));
        medrec.nameFolder(act, "anything");
    }

    function test_ADelegatedAccountStillSignsWithItsKey() public {
        vm.etch(patient, address(new Wallet(0)).code);
        IMedRec.NameFolder memory act = _naming(patient);
        medrec.nameFolder(act, _sign(PATIENT_KEY, NAMING, abi.encode(act)));
        (, uint64 serial) = medrec.folderOf(patient, 1);
        vm.assertEq(serial, 1);
    }

    // ------------------------------------------------------------------------------------------------------------ keys

    function test_APublishedKeyIsKnownByItsDigest() public {
        bytes memory key = _key("first");
        vm.expectEmit(address(medrec));
        emit IMedRec.KeyPublished(patient, 1, key);
        vm.prank(patient);
        medrec.publishKey(IMedRec.PublishKey(patient, 1, key), "");
        (uint32 version, bytes32 digest) = medrec.keyOf(patient);
        vm.assertEq(version, 1);
        vm.assertEq(digest, keccak256(key));
    }

    function test_AKeyOfAnotherLengthIsRefused() public {
        _refused(IMedRec.BadKey.selector);
        vm.prank(patient);
        medrec.publishKey(IMedRec.PublishKey(patient, 1, new bytes(1216)), "");
    }

    function testFuzz_TheVersionOfAKeyGrows(uint32 version) public {
        vm.prank(patient);
        medrec.publishKey(IMedRec.PublishKey(patient, 5, _key("first")), "");
        bool next = version > 5 && version <= 5 + 1024;
        if (!next) _refused(abi.encodeWithSelector(IMedRec.VersionNotNext.selector, 5, version));
        vm.prank(patient);
        medrec.publishKey(IMedRec.PublishKey(patient, version, _key("second")), "");
    }

    function test_ReplacingKeysEndsTheOldSigner() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.KeysReplaced(patient, successor, 1, 1, _key("next"), keccak256("envelopes"));
        _replace();
        (address signer, uint32 generation) = medrec.signerOf(patient);
        vm.assertEq(signer, successor);
        vm.assertEq(generation, 1);
        (uint32 version, bytes32 digest) = medrec.keyOf(patient);
        vm.assertEq(version, 1);
        vm.assertEq(digest, keccak256(_key("next")));
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, successor));
        vm.prank(patient);
        medrec.nameFolder(_naming(patient), "");
        vm.prank(successor);
        medrec.nameFolder(_naming(patient), "");
    }

    function test_ReplacingKeysStartsEveryFolderAnew() public {
        _rekey(0, 7);
        _replace();
        (uint32 epoch,) = medrec.folderOf(patient, 1);
        vm.assertEq(epoch, 1 << 16);
        (epoch,) = medrec.folderOf(patient, 0);
        vm.assertEq(epoch, 1 << 16);
    }

    function test_GenerationsFollowOneAnother() public {
        _refused(abi.encodeWithSelector(IMedRec.GenerationNotNext.selector, 0, 2));
        vm.prank(patient);
        medrec.replaceKeys(_replacement(2), "");
        _replace();
        _refused(abi.encodeWithSelector(IMedRec.GenerationNotNext.selector, 1, 1));
        vm.prank(successor);
        medrec.replaceKeys(_replacement(1), "");
    }

    /// @dev 65,535 replacements are too many to make: the last but one is written to where the first one stands.
    function test_GenerationsEndWithTheirSixteenBits() public {
        _replace();
        uint256 place = 0;
        while (
            address(uint160(uint256(vm.load(address(medrec), keccak256(abi.encode(patient, place)))))) != successor
        ) {
            ++place;
        }
        bytes32 last = bytes32(uint256(uint160(successor)) | uint256(type(uint16).max - 1) << 160);
        vm.store(address(medrec), keccak256(abi.encode(patient, place)), last);
        vm.prank(successor);
        medrec.replaceKeys(_replacement(type(uint16).max), "");
        (uint32 epoch,) = medrec.folderOf(patient, 1);
        vm.assertEq(epoch, 0xFFFF0000);
        _refused(abi.encodeWithSelector(IMedRec.GenerationNotNext.selector, 0xFFFF, 0x10000));
        vm.prank(successor);
        medrec.replaceKeys(_replacement(0x10000), "");
    }

    function test_NobodyAndTheContractCannotSign() public {
        IMedRec.ReplaceKeys memory act = _replacement(1);
        act.signer = address(0);
        _refused(IMedRec.BadSigner.selector);
        vm.prank(patient);
        medrec.replaceKeys(act, "");
        act.signer = address(medrec);
        _refused(IMedRec.BadSigner.selector);
        vm.prank(patient);
        medrec.replaceKeys(act, "");
        _refused(IMedRec.BadSigner.selector);
        _nameRecovery(patient, address(medrec), 1);
    }

    // -------------------------------------------------------------------------------------------------------- recovery

    function test_TheRecoveryAddressReplacesKeys() public {
        _nameRecovery(patient, recovery, 1);
        vm.prank(recovery);
        medrec.replaceKeys(_replacement(1), "");
        (address signer,) = medrec.signerOf(patient);
        vm.assertEq(signer, successor);
    }

    function test_OnceNamedOnlyTheRecoveryAddressNamesAnother() public {
        _nameRecovery(patient, recovery, 1);
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, recovery));
        _nameRecovery(patient, stranger, 2);
        vm.expectEmit(address(medrec));
        emit IMedRec.RecoveryNamed(patient, stranger, 2);
        _nameRecovery(recovery, stranger, 2);
        (address named, uint64 serial) = medrec.recoveryOf(patient);
        vm.assertEq(named, stranger);
        vm.assertEq(serial, 2);
    }

    function test_TheSignerStillReplacesKeysItself() public {
        _nameRecovery(patient, recovery, 1);
        _replace();
        (address signer,) = medrec.signerOf(patient);
        vm.assertEq(signer, successor);
    }

    function test_AStrangerReplacesNothing() public {
        _nameRecovery(patient, recovery, 1);
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        vm.prank(stranger);
        medrec.replaceKeys(_replacement(1), "");
    }

    function test_TheSerialOfARecoveryGrows() public {
        _nameRecovery(patient, recovery, 3);
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 3, 3));
        _nameRecovery(recovery, stranger, 3);
    }
}
