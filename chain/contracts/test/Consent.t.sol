// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

contract ConsentTest is Clinic {
    function _mayRead(address who, address via) private view returns (bool) {
        return medrec.canRead(patient, who, via, GENERAL);
    }

    function _mayWrite(address who, address via) private view returns (bool) {
        return medrec.canWrite(patient, who, via, GENERAL);
    }

    function _giveUp(address by, uint64 serial) private {
        vm.prank(by);
        medrec.giveUpAccess(IMedRec.GiveUpAccess(by, patient, hospital, GENERAL, serial), "");
    }

    // ---------------------------------------------------------------------------------------------------------- grants

    function test_AGrantToReadLetsReadAndNotWrite() public {
        IMedRec.GrantAccess memory act = _grant(doctor, GENERAL, 1);
        vm.assertFalse(_mayRead(doctor, hospital));
        vm.expectEmit(address(medrec));
        emit IMedRec.AccessGranted(patient, doctor, GENERAL, hospital, 1, START, END, 0, act.envelopes, act.request, 1);
        _give(act);
        vm.assertTrue(_mayRead(doctor, hospital));
        vm.assertFalse(_mayWrite(doctor, hospital));
        vm.assertFalse(medrec.canRead(patient, doctor, hospital, bytes32(uint256(2))), "another folder");
        vm.assertFalse(_mayRead(doctor, address(0)), "not through the institution");
    }

    function test_AGrantToWriteLetsReadToo() public {
        _give(_grant(doctor, GENERAL, 3));
        vm.assertTrue(_mayRead(doctor, hospital) && _mayWrite(doctor, hospital));
    }

    function testFuzz_AGrantIsReadBackAsGiven(uint40 start, uint40 end, uint64 serial, bool write, uint16 folder)
        public
    {
        vm.assume(end > start && folder > 0 && serial > 0 && serial <= 1024);
        IMedRec.GrantAccess memory act = _grant(doctor, bytes32(uint256(folder)), write ? 3 : 1);
        (act.notBefore, act.expiry, act.serial) = (start, end, serial);
        _give(act);
        (uint8 permissions, uint40 notBefore, uint40 expiry, uint64 last, uint32 epoch, uint64 affiliation) =
            medrec.grantOf(patient, doctor, hospital, act.scope);
        vm.assertEq(permissions, write ? 3 : 1);
        vm.assertTrue(notBefore == start && expiry == end && last == serial && epoch == 0 && affiliation == 1);
    }

    function testFuzz_AGrantHoldsFromItsStartToItsEnd(uint40 now_) public {
        _give(_grant(doctor, GENERAL, 3));
        vm.warp(now_);
        bool live = now_ >= START && now_ < END;
        vm.assertTrue(_mayRead(doctor, hospital) == live && _mayWrite(doctor, hospital) == live);
    }

    function test_AGrantIsTakenAfterItsOwnEnd() public {
        vm.warp(END + 1);
        _give(_grant(doctor, GENERAL, 1));
        vm.assertFalse(_mayRead(doctor, hospital));
    }

    function testFuzz_OtherPermissionsAreRefused(uint8 permissions) public {
        vm.assume(permissions != 1 && permissions != 3);
        _refused(IMedRec.BadPermissions.selector);
        _give(_grant(doctor, GENERAL, permissions));
    }

    function test_AGrantAlwaysEndsAfterItsStart() public {
        IMedRec.GrantAccess memory act = _grant(doctor, GENERAL, 1);
        act.expiry = act.notBefore;
        _refused(IMedRec.BadTimes.selector);
        _give(act);
        (act.notBefore, act.expiry) = (0, 0);
        _refused(IMedRec.BadTimes.selector);
        _give(act);
    }

    function test_TheInboxIsNotGranted() public {
        _refused(IMedRec.BadScope.selector);
        _give(_grant(doctor, 0, 1));
    }

    function test_AFolderIsGrantedInItsCurrentEpoch() public {
        _rekey(0, 3);
        _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 3, 0));
        _give(_grant(doctor, GENERAL, 1));
    }

    function test_NobodyAndOneselfAreNoGrantees() public {
        _refused(IMedRec.BadGrantee.selector);
        _give(_grant(address(0), GENERAL, 1));
        _refused(IMedRec.BadGrantee.selector);
        _give(_grant(patient, GENERAL, 1));
    }

    function test_OnlyThePatientGrants() public {
        _refused(abi.encodeWithSelector(IMedRec.NotSigner.selector, patient));
        vm.prank(doctor);
        medrec.grantAccess(_grant(doctor, GENERAL, 1), "");
    }

    function test_ARecordIsGrantedAlone() public {
        bytes32 record = _add(_record(patient, 1));
        _give(_grant(stranger, record, 3));
        vm.assertTrue(medrec.canWrite(patient, stranger, address(0), record));
        vm.assertFalse(_mayRead(stranger, address(0)), "its folder");
    }

    function test_ARecordInTheInboxOrOfSomebodyElseIsNotGranted() public {
        bytes32 received = _add(_record(doctor, 0));
        _refused(IMedRec.BadScope.selector);
        _give(_grant(doctor, received, 1));
        bytes32 own = _add(_record(patient, 1));
        IMedRec.GrantAccess memory act = _grant(doctor, own, 1);
        act.author = stranger;
        _refused(IMedRec.BadScope.selector);
        _give(act);
    }

    function test_ASelectionIsReadOnlyAndHasNoEpoch() public {
        IMedRec.GrantAccess memory act = _grant(doctor, keccak256("selection"), 3);
        _refused(IMedRec.BadPermissions.selector);
        _give(act);
        (act.permissions, act.epoch) = (1, 1);
        _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 0, 1));
        _give(act);
        act.epoch = 0;
        _give(act);
        vm.assertTrue(medrec.canRead(patient, doctor, hospital, act.scope));
    }

    // -------------------------------------------------------------------------------------------- through institutions

    function test_AGrantToTheInstitutionServesItsDoctors() public {
        _give(_grant(hospital, GENERAL, 3));
        vm.assertTrue(_mayWrite(hospital, hospital) && _mayWrite(doctor, hospital));
        vm.assertFalse(_mayRead(stranger, hospital));
    }

    function test_LeavingEndsAGrantForGood() public {
        _give(_grant(doctor, GENERAL, 1));
        _affiliate(false, 2);
        vm.assertFalse(_mayRead(doctor, hospital));
        _affiliate(true, 3);
        vm.assertFalse(_mayRead(doctor, hospital), "another affiliation");
    }

    function test_ASuspensionPausesGrants() public {
        _give(_grant(doctor, GENERAL, 1));
        _give(_grant(hospital, GENERAL, 1));
        _admit(false, 2);
        vm.assertFalse(_mayRead(doctor, hospital) || _mayRead(hospital, hospital));
        _admit(true, 3);
        vm.assertTrue(_mayRead(doctor, hospital) && _mayRead(hospital, hospital));
    }

    function test_AnUnaffiliatedDoctorIsNotGranted() public {
        _affiliate(false, 2);
        _refused(abi.encodeWithSelector(IMedRec.NotAffiliated.selector, hospital, doctor));
        _give(_grant(doctor, GENERAL, 1));
    }

    function test_AnUnadmittedInstitutionIsNotGranted() public {
        _admit(false, 2);
        _refused(abi.encodeWithSelector(IMedRec.NotAdmitted.selector, hospital));
        _give(_grant(hospital, GENERAL, 1));
    }

    // ---------------------------------------------------------------------------------------------------------- revoke

    function test_ARevokeEndsAGrantAtOnce() public {
        _give(_grant(doctor, GENERAL, 3));
        vm.expectEmit(address(medrec));
        emit IMedRec.AccessRevoked(patient, doctor, GENERAL, hospital, 2);
        _take(_revoke(doctor, GENERAL, 2));
        vm.assertFalse(_mayRead(doctor, hospital) || _mayWrite(doctor, hospital));
    }

    function test_ARevokeOvertakesAGrantUnderWay() public {
        _take(_revoke(doctor, GENERAL, 2));
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 2, 1));
        _give(_grant(doctor, GENERAL, 1));
    }

    function testFuzz_TheSerialOfAGrantGrows(uint64 last, uint64 given) public {
        last = 1 + last % 1024;
        IMedRec.GrantAccess memory act = _grant(doctor, GENERAL, 1);
        act.serial = last;
        _give(act);
        bool next = given > last && given - last <= 1024;
        if (!next) _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, last, given));
        _take(_revoke(doctor, GENERAL, given));
        vm.assertTrue(_mayRead(doctor, hospital) != next);
    }

    function test_TheGranteeGivesUpTheCurrentGrant() public {
        _give(_grant(doctor, GENERAL, 1));
        _refused(abi.encodeWithSelector(IMedRec.GrantNotCurrent.selector, 1, 2));
        _giveUp(doctor, 2);
        vm.expectEmit(address(medrec));
        emit IMedRec.AccessGivenUp(patient, doctor, GENERAL, hospital, 1);
        _giveUp(doctor, 1);
        vm.assertFalse(_mayRead(doctor, hospital));
        _refused(abi.encodeWithSelector(IMedRec.GrantNotCurrent.selector, 1, 1));
        _giveUp(doctor, 1);
        _take(_revoke(doctor, GENERAL, 2));
    }
}
