// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

/// @notice Refusals that the tests of each act do not come by; tests/exploits/test_refusals.py says which are missing.
contract RefusalsTest is Clinic {
    bytes32 private constant NONCE = keccak256("nonce");

    /// @dev Sent by somebody without a signature, and by the author himself with one that is not his.
    function _isOnlyBy(address author, bytes memory unsigned, bytes memory signed) private {
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, author));
        vm.prank(stranger);
        _call(unsigned);
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, author));
        vm.prank(author);
        _call(signed);
    }

    function _call(bytes memory data) private {
        (bool ok, bytes memory reason) = address(medrec).call(data);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    function test_NobodySignsForADirectorysAuthors() public {
        IMedRec.AdmitInstitution memory admit = IMedRec.AdmitInstitution(admission, hospital, false, 2);
        _isOnlyBy(
            admission,
            abi.encodeCall(medrec.admitInstitution, (admit, "")),
            abi.encodeCall(medrec.admitInstitution, (admit, "x"))
        );
        IMedRec.AffiliateDoctor memory affiliate = IMedRec.AffiliateDoctor(hospital, stranger, true, 1);
        _isOnlyBy(
            hospital,
            abi.encodeCall(medrec.affiliateDoctor, (affiliate, "")),
            abi.encodeCall(medrec.affiliateDoctor, (affiliate, "x"))
        );
        IMedRec.LeaveInstitution memory leaving = IMedRec.LeaveInstitution(doctor, hospital, 2);
        _isOnlyBy(
            doctor,
            abi.encodeCall(medrec.leaveInstitution, (leaving, "")),
            abi.encodeCall(medrec.leaveInstitution, (leaving, "x"))
        );
        IMedRec.AnchorLog memory anchor = IMedRec.AnchorLog(anchorer, keccak256("log"), 1, keccak256("root"));
        _isOnlyBy(
            anchorer, abi.encodeCall(medrec.anchorLog, (anchor, "")), abi.encodeCall(medrec.anchorLog, (anchor, "x"))
        );
    }

    function test_NobodySignsForRecordsAuthors() public {
        bytes32 id = _add(_record(patient, 2));
        IMedRec.NewRecord memory added = _record(patient, 1);
        _isOnlyBy(
            patient, abi.encodeCall(medrec.newRecord, (added, "")), abi.encodeCall(medrec.newRecord, (added, "x"))
        );
        IMedRec.ModifyRecord memory changed = _modify(patient, id, 2);
        _isOnlyBy(
            patient,
            abi.encodeCall(medrec.modifyRecord, (changed, "")),
            abi.encodeCall(medrec.modifyRecord, (changed, "x"))
        );
        IMedRec.CloseRecord memory close = IMedRec.CloseRecord(patient, patient, id, 0, 2);
        _isOnlyBy(
            patient, abi.encodeCall(medrec.closeRecord, (close, "")), abi.encodeCall(medrec.closeRecord, (close, "x"))
        );
        IMedRec.BlockSender memory blocking = IMedRec.BlockSender(patient, doctor, true, 1);
        _isOnlyBy(
            patient,
            abi.encodeCall(medrec.blockSender, (blocking, "")),
            abi.encodeCall(medrec.blockSender, (blocking, "x"))
        );
        IMedRec.RekeyFolder memory rekey = IMedRec.RekeyFolder(patient, 1, 0, 1, 0);
        _isOnlyBy(
            patient, abi.encodeCall(medrec.rekeyFolder, (rekey, "")), abi.encodeCall(medrec.rekeyFolder, (rekey, "x"))
        );
    }

    function test_NobodySignsForConsentsAuthors() public {
        IMedRec.RequestAccess memory ask = IMedRec.RequestAccess(doctor, patient, hospital, NONCE, 0);
        _isOnlyBy(
            doctor, abi.encodeCall(medrec.requestAccess, (ask, "")), abi.encodeCall(medrec.requestAccess, (ask, "x"))
        );
        vm.prank(doctor);
        medrec.requestAccess(ask, "");
        bytes32 request = _idOf(doctor, NONCE);
        IMedRec.WithdrawRequest memory back = IMedRec.WithdrawRequest(doctor, patient, request, NONCE);
        _isOnlyBy(
            doctor,
            abi.encodeCall(medrec.withdrawRequest, (back, "")),
            abi.encodeCall(medrec.withdrawRequest, (back, "x"))
        );
        IMedRec.DenyAccess memory deny = IMedRec.DenyAccess(patient, request, 0);
        _isOnlyBy(
            patient, abi.encodeCall(medrec.denyAccess, (deny, "")), abi.encodeCall(medrec.denyAccess, (deny, "x"))
        );
        _give(_grant(doctor, GENERAL, 1));
        IMedRec.RevokeAccess memory revoke = _revoke(doctor, GENERAL, 2);
        _isOnlyBy(
            patient,
            abi.encodeCall(medrec.revokeAccess, (revoke, "")),
            abi.encodeCall(medrec.revokeAccess, (revoke, "x"))
        );
        IMedRec.GiveUpAccess memory giveUp = IMedRec.GiveUpAccess(doctor, patient, hospital, GENERAL, 1);
        _isOnlyBy(
            doctor,
            abi.encodeCall(medrec.giveUpAccess, (giveUp, "")),
            abi.encodeCall(medrec.giveUpAccess, (giveUp, "x"))
        );
    }

    function test_ModificationsAreCheckedAsNewRecordsAre() public {
        IMedRec.NewRecord memory added = _record(patient, 1);
        added.flags = 2;
        _refused(IMedRec.BadFlags.selector);
        _add(added);
        (added.flags, added.epoch) = (0, 1);
        _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 0, 1));
        _add(added);
        added.epoch = 0;
        IMedRec.ModifyRecord memory act = _modify(patient, _add(added), 1);
        act.flags = 2;
        _changeIsRefused(act, IMedRec.BadFlags.selector);
        (act.flags, act.secret) = (0, new bytes(41));
        _changeIsRefused(act, IMedRec.BadSecret.selector);
        (act.secret, act.via) = (new bytes(40), hospital);
        _changeIsRefused(act, IMedRec.BadVia.selector);
    }

    function _changeIsRefused(IMedRec.ModifyRecord memory act, bytes4 reason) private {
        _refused(reason);
        vm.prank(patient);
        medrec.modifyRecord(act, "");
    }

    function test_WhatIsNotThereIsNotClosed() public {
        IMedRec.CloseRecord memory act = IMedRec.CloseRecord(patient, patient, keccak256("nothing"), 0, 2);
        _refused(IMedRec.UnknownRecord.selector);
        vm.prank(patient);
        medrec.closeRecord(act, "");
        (act.record, act.reason) = (_add(_record(patient, 1)), 4);
        _refused(IMedRec.BadReason.selector);
        vm.prank(patient);
        medrec.closeRecord(act, "");
    }

    function test_AReplacementBringsAWholeKey() public {
        _refused(IMedRec.BadKey.selector);
        vm.prank(patient);
        medrec.replaceKeys(IMedRec.ReplaceKeys(patient, 1, stranger, new bytes(1218), 0), "");
    }

    // --------------------------------------------------------------------------------------------- numbers that grow

    function test_NumbersThatDoNotGrowAreRefused() public {
        _rekey(0, 1);
        _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 1, 0));
        _rekey(0, 2);
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 0, 0));
        _take(_revoke(doctor, GENERAL, 0));
        _refused(abi.encodeWithSelector(IMedRec.VersionNotNext.selector, 0, 0));
        _publish(0);
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 0, 0));
        _block(0);
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 1, 1));
        _leave(1);
    }

    function _publish(uint32 version) private {
        vm.prank(patient);
        medrec.publishKey(IMedRec.PublishKey(patient, version, new bytes(1217)), "");
    }

    function _block(uint64 serial) private {
        vm.prank(patient);
        medrec.blockSender(IMedRec.BlockSender(patient, doctor, true, serial), "");
    }

    function _leave(uint64 serial) private {
        vm.prank(doctor);
        medrec.leaveInstitution(IMedRec.LeaveInstitution(doctor, hospital, serial), "");
    }

    /// @dev Below the last, the last, the most that is allowed, one more, and anything.
    function _given(uint64 last, uint64 roll) private pure returns (uint64 given, bool next) {
        uint256 side = roll % 5;
        if (side == 0) given = last;
        else if (side == 1) given = last + 1024;
        else if (side == 2) given = last + 1025;
        else if (side == 3) given = last + roll % 1024;
        else given = roll;
        next = given > last && given - last <= 1024;
    }

    function _expectSerial(uint64 last, uint64 given, bool next) private {
        if (!next) _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, last, given));
    }

    function testFuzz_TheSerialOfAnAdmissionGrows(uint64 roll) public {
        (uint64 given, bool next) = _given(1, roll);
        _expectSerial(1, given, next);
        _admit(false, given);
        (bool admitted,) = medrec.institutionOf(hospital);
        vm.assertTrue(admitted != next);
    }

    function testFuzz_TheSerialOfALeavingGrows(uint64 roll) public {
        (uint64 given, bool next) = _given(1, roll);
        _expectSerial(1, given, next);
        _leave(given);
        (bool affiliated,) = medrec.affiliationOf(hospital, doctor);
        vm.assertTrue(affiliated != next);
    }

    function testFuzz_TheSerialOfABlockGrows(uint64 roll) public {
        _block(7);
        (uint64 given, bool next) = _given(7, roll);
        _expectSerial(7, given, next);
        _block(given);
        (, uint64 serial) = medrec.blockedOf(patient, doctor);
        vm.assertEq(serial, next ? given : 7);
    }

    function testFuzz_TheSerialOfANameGrows(uint64 roll, uint16 folder) public {
        vm.assume(folder != 0);
        (uint64 given, bool next) = _given(0, roll);
        _expectSerial(0, given, next);
        vm.prank(patient);
        medrec.nameFolder(IMedRec.NameFolder(patient, folder, NONCE, given), "");
        (, uint64 serial) = medrec.folderOf(patient, folder);
        vm.assertEq(serial, next ? given : 0);
    }

    function testFuzz_TheSerialOfAGrantGivenAgainGrows(uint64 roll) public {
        IMedRec.GrantAccess memory act = _grant(doctor, GENERAL, 1);
        act.serial = 9;
        _give(act);
        bool next;
        (act.serial, next) = _given(9, roll);
        act.permissions = 3;
        _expectSerial(9, act.serial, next);
        _give(act);
        vm.assertTrue(medrec.canWrite(patient, doctor, hospital, GENERAL) == next);
    }

    function testFuzz_TheVersionOfARecordIsTheNext(uint32 version) public {
        IMedRec.ModifyRecord memory act = _modify(patient, _add(_record(patient, 1)), 1);
        act.version = version % 2 == 0 ? version : version % 4;
        if (act.version != 2) _refused(abi.encodeWithSelector(IMedRec.VersionNotNext.selector, 1, act.version));
        vm.prank(patient);
        medrec.modifyRecord(act, "");
    }

    function testFuzz_ALogOnlyGrows(uint64 last, uint64 size) public {
        vm.assume(last != 0);
        vm.prank(anchorer);
        medrec.anchorLog(IMedRec.AnchorLog(anchorer, NONCE, last, NONCE), "");
        if (size <= last) _refused(abi.encodeWithSelector(IMedRec.SizeNotGrowing.selector, last, size));
        vm.prank(anchorer);
        medrec.anchorLog(IMedRec.AnchorLog(anchorer, NONCE, size, NONCE), "");
        vm.assertEq(medrec.logOf(anchorer, NONCE), size > last ? size : last);
    }

    function testFuzz_AKeyHasItsLength(uint16 length) public {
        length %= 2500;
        if (length != 1217) _refused(IMedRec.BadKey.selector);
        vm.prank(patient);
        medrec.publishKey(IMedRec.PublishKey(patient, 1, new bytes(length)), "");
    }

    function testFuzz_AGrantEndsAfterItsStart(uint40 start, uint40 end) public {
        IMedRec.GrantAccess memory act = _grant(doctor, GENERAL, 1);
        (act.notBefore, act.expiry) = (start, end);
        if (end <= start) _refused(IMedRec.BadTimes.selector);
        _give(act);
    }
}
