// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

contract RecordsTest is Clinic {
    function _change(IMedRec.ModifyRecord memory act) private {
        vm.prank(act.author);
        medrec.modifyRecord(act, "");
    }

    function _close(address by, bytes32 record, bytes32 nonce, uint8 reason) private {
        vm.prank(by);
        medrec.closeRecord(IMedRec.CloseRecord(by, patient, record, nonce, reason), "");
    }

    function _block(address sender, bool blocked, uint64 serial) private {
        vm.prank(patient);
        medrec.blockSender(IMedRec.BlockSender(patient, sender, blocked, serial), "");
    }

    function _checkRecord(bytes32 id, uint16 inFolder, uint32 inEpoch, uint32 ofVersion, bool isClosed) private view {
        (address owner, uint16 folder, uint32 epoch, uint32 version, uint8 flags, bool closed) = medrec.recordOf(id);
        vm.assertEq(owner, patient);
        vm.assertTrue(folder == inFolder && epoch == inEpoch && version == ofVersion && closed == isClosed);
        vm.assertEq(flags, 0);
    }

    // ----------------------------------------------------------------------------------------------------- new records

    function test_ThePatientAddsARecord() public {
        IMedRec.NewRecord memory act = _record(patient, 1);
        bytes32 id = _idOf(patient, act.nonce);
        vm.expectEmit(address(medrec));
        emit IMedRec.RecordAdded(
            patient, patient, id, act.via, 1, 0, 0, act.nonce, act.content, act.description, act.secret
        );
        _add(act);
        _checkRecord(id, 1, 0, 1, false);
    }

    function test_ANonceServesOnce() public {
        _add(_record(patient, 1));
        _refused(IMedRec.RecordExists.selector);
        _add(_record(patient, 2));
    }

    function testFuzz_OnlyInTheCurrentEpoch(uint32 epoch) public {
        _rekey(0, 9);
        IMedRec.NewRecord memory act = _record(patient, 1);
        act.epoch = epoch;
        if (epoch != 9) _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 9, epoch));
        _add(act);
    }

    function testFuzz_FlagsAndSecretsAreChecked(uint8 flags, uint8 length, bool inbox) public {
        IMedRec.NewRecord memory act = _record(patient, inbox ? 0 : 1);
        (act.flags, act.secret) = (flags, new bytes(length));
        if (flags > 1) _refused(IMedRec.BadFlags.selector);
        else if (length != 32 && (inbox || length != 40)) _refused(IMedRec.BadSecret.selector);
        _add(act);
    }

    function test_ThePatientActsThroughNobody() public {
        IMedRec.NewRecord memory act = _record(patient, 1);
        act.via = hospital;
        _refused(IMedRec.BadVia.selector);
        _add(act);
    }

    function test_ADoctorWritesWhereHeMay() public {
        _refused(IMedRec.NoWriteAccess.selector);
        _add(_record(doctor, 1));
        _give(_grant(doctor, GENERAL, 1));
        _refused(IMedRec.NoWriteAccess.selector);
        _add(_record(doctor, 1));
        IMedRec.GrantAccess memory act = _grant(doctor, GENERAL, 3);
        act.serial = 2;
        _give(act);
        _checkRecord(_add(_record(doctor, 1)), 1, 0, 1, false);
        _refused(IMedRec.NoWriteAccess.selector);
        _add(_record(doctor, 2));
    }

    function test_ADoctorWritesThroughHisInstitutionsGrant() public {
        _give(_grant(hospital, GENERAL, 3));
        _checkRecord(_add(_record(doctor, 1)), 1, 0, 1, false);
    }

    function test_ARevokedOrExpiredGrantWritesNothing() public {
        _give(_grant(doctor, GENERAL, 3));
        vm.warp(END);
        _refused(IMedRec.NoWriteAccess.selector);
        _add(_record(doctor, 1));
        vm.warp(START);
        _take(_revoke(doctor, GENERAL, 2));
        _refused(IMedRec.NoWriteAccess.selector);
        _add(_record(doctor, 1));
    }

    // ----------------------------------------------------------------------------------------------------------- inbox

    function test_AnyAffiliatedDoctorLeavesARecordInTheInbox() public {
        _checkRecord(_add(_record(doctor, 0)), 0, 0, 1, false);
        _refused(abi.encodeWithSelector(IMedRec.NotAffiliated.selector, hospital, stranger));
        _add(_record(stranger, 0));
        _admit(false, 2);
        _refused(abi.encodeWithSelector(IMedRec.NotAdmitted.selector, hospital));
        _add(_record(hospital, 0));
    }

    function test_TheInboxTakesNoWrappedSecret() public {
        IMedRec.NewRecord memory act = _record(doctor, 0);
        act.secret = new bytes(40);
        _refused(IMedRec.BadSecret.selector);
        _add(act);
        act.secret = new bytes(32);
        _add(act);
    }

    function test_NobodyHasNoInbox() public {
        IMedRec.NewRecord memory act = _record(doctor, 0);
        act.patient = address(0);
        _refused(IMedRec.BadPatient.selector);
        _add(act);
    }

    function test_ABlockedDoctorIsRefusedUntilUnblocked() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.SenderBlocked(patient, doctor, true, 1);
        _block(doctor, true, 1);
        _refused(IMedRec.SenderIsBlocked.selector);
        _add(_record(doctor, 0));
        _add(_record(hospital, 0));
        _block(doctor, false, 2);
        _add(_record(doctor, 0));
        (bool blocked, uint64 serial) = medrec.blockedOf(patient, doctor);
        vm.assertFalse(blocked);
        vm.assertEq(serial, 2);
    }

    function test_ABlockedInstitutionSpeaksThroughNobody() public {
        _block(hospital, true, 1);
        _refused(IMedRec.SenderIsBlocked.selector);
        _add(_record(doctor, 0));
    }

    function test_ABlockKeepsTheKeysOfTheAccount() public {
        vm.prank(patient);
        medrec.replaceKeys(IMedRec.ReplaceKeys(patient, 1, stranger, new bytes(1217), 0), "");
        vm.prank(stranger);
        medrec.blockSender(IMedRec.BlockSender(patient, doctor, true, 1), "");
        (address signer, uint32 generation) = medrec.signerOf(patient);
        (uint32 version,) = medrec.keyOf(patient);
        vm.assertEq(signer, stranger);
        vm.assertTrue(generation == 1 && version == 1);
    }

    function test_ThePatientFilesWhatCameIn() public {
        bytes32 id = _add(_record(doctor, 0));
        _rekey(0, 2);
        IMedRec.ModifyRecord memory act = _modify(patient, id, 1);
        act.epoch = 2;
        _change(act);
        _checkRecord(id, 1, 2, 2, false);
    }

    function test_NothingGoesBackIntoTheInbox() public {
        bytes32 id = _add(_record(patient, 1));
        _refused(IMedRec.BadFolder.selector);
        _change(_modify(patient, id, 0));
    }

    // -------------------------------------------------------------------------------------------------------- versions

    function test_AVersionFollowsTheLast() public {
        bytes32 id = _add(_record(patient, 1));
        IMedRec.ModifyRecord memory act = _modify(patient, id, 1);
        vm.expectEmit(address(medrec));
        emit IMedRec.RecordModified(patient, patient, id, act.via, 1, 0, 2, 0, act.content, act.description, act.secret);
        _change(act);
        _checkRecord(id, 1, 0, 2, false);
        _refused(abi.encodeWithSelector(IMedRec.VersionNotNext.selector, 2, 2));
        _change(act);
    }

    function test_AWriterModifiesAndDoesNotMove() public {
        bytes32 id = _add(_record(patient, 1));
        _give(_grant(doctor, GENERAL, 3));
        _refused(IMedRec.OnlyPatient.selector);
        _change(_modify(doctor, id, 2));
        _change(_modify(doctor, id, 1));
        _checkRecord(id, 1, 0, 2, false);
    }

    function test_AWriterOfOneRecordModifiesThatOne() public {
        bytes32 id = _add(_record(patient, 1));
        IMedRec.NewRecord memory second = _record(patient, 1);
        second.nonce = keccak256("second");
        bytes32 other = _add(second);
        _give(_grant(doctor, id, 3));
        _change(_modify(doctor, id, 1));
        _refused(IMedRec.NoWriteAccess.selector);
        _change(_modify(doctor, other, 1));
    }

    function test_AReaderModifiesNothing() public {
        bytes32 id = _add(_record(patient, 1));
        _give(_grant(doctor, GENERAL, 1));
        _refused(IMedRec.NoWriteAccess.selector);
        _change(_modify(doctor, id, 1));
    }

    function test_AnUnknownRecordOrPatientIsRefused() public {
        _refused(IMedRec.UnknownRecord.selector);
        _change(_modify(patient, keccak256("nothing"), 1));
        IMedRec.ModifyRecord memory act = _modify(patient, _add(_record(patient, 1)), 1);
        (act.author, act.patient) = (stranger, stranger);
        _refused(IMedRec.UnknownRecord.selector);
        _change(act);
    }

    function test_AVersionIsOfTheCurrentEpoch() public {
        bytes32 id = _add(_record(patient, 1));
        _rekey(0, 1);
        _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 1, 0));
        _change(_modify(patient, id, 1));
    }

    // --------------------------------------------------------------------------------------------------------- closing

    function test_AClosedRecordTakesNoVersion() public {
        bytes32 id = _add(_record(patient, 1));
        vm.expectEmit(address(medrec));
        emit IMedRec.RecordClosed(patient, patient, id, 0, 2);
        _close(patient, id, 0, 2);
        _checkRecord(id, 1, 0, 1, true);
        _refused(IMedRec.RecordIsClosed.selector);
        _change(_modify(patient, id, 1));
        _refused(IMedRec.RecordIsClosed.selector);
        _close(patient, id, 0, 2);
        _refused(IMedRec.RecordExists.selector);
        _add(_record(patient, 1));
    }

    function test_ItsAuthorWithdrawsARecordFromTheInboxOnly() public {
        IMedRec.NewRecord memory act = _record(doctor, 0);
        bytes32 id = _add(act);
        _refused(IMedRec.OnlyPatient.selector);
        _close(stranger, id, act.nonce, 3);
        _close(doctor, id, act.nonce, 3);
        _checkRecord(id, 0, 0, 1, true);
        act.nonce = keccak256("second");
        id = _add(act);
        _change(_modify(patient, id, 1));
        _refused(IMedRec.OnlyPatient.selector);
        _close(doctor, id, act.nonce, 3);
    }

    function testFuzz_OtherReasonsAreRefused(uint8 reason) public {
        bytes32 id = _add(_record(patient, 1));
        if (reason == 0 || reason > 3) _refused(IMedRec.BadReason.selector);
        _close(patient, id, 0, reason);
    }

    function test_ThePatientNamesNoNonce() public {
        bytes32 id = _add(_record(patient, 1));
        _refused(IMedRec.OnlyPatient.selector);
        _close(patient, id, keccak256("nonce"), 2);
    }
}
