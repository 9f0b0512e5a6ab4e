// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

contract RequestsTest is Clinic {
    function _asking(address by) private view returns (IMedRec.RequestAccess memory) {
        return IMedRec.RequestAccess(by, patient, hospital, keccak256("nonce"), keccak256("terms"));
    }

    function _ask(address by) private returns (bytes32) {
        vm.prank(by);
        medrec.requestAccess(_asking(by), "");
        return _idOf(by, keccak256("nonce"));
    }

    function _withdraw(address by, bytes32 request) private {
        vm.prank(by);
        medrec.withdrawRequest(IMedRec.WithdrawRequest(by, patient, request, keccak256("nonce")), "");
    }

    function _deny(address by, bytes32 request) private {
        vm.prank(by);
        medrec.denyAccess(IMedRec.DenyAccess(by, request, keccak256("reason")), "");
    }

    function _state(bytes32 request) private view returns (uint8 state) {
        (, state) = medrec.requestOf(request);
    }

    function test_AnAffiliatedDoctorAsks() public {
        bytes32 request = _idOf(doctor, keccak256("nonce"));
        vm.expectEmit(address(medrec));
        emit IMedRec.AccessRequested(patient, doctor, request, hospital, keccak256("nonce"), keccak256("terms"));
        _ask(doctor);
        (address asked, uint8 state) = medrec.requestOf(request);
        vm.assertEq(asked, patient);
        vm.assertEq(state, 1);
    }

    function test_AnInstitutionAsksForItself() public {
        vm.assertEq(_state(_ask(hospital)), 1);
    }

    function test_StrangersAndSuspendedInstitutionsDoNotAsk() public {
        _refused(abi.encodeWithSelector(IMedRec.NotAffiliated.selector, hospital, stranger));
        _ask(stranger);
        IMedRec.RequestAccess memory alone = _asking(doctor);
        alone.via = address(0);
        _refused(abi.encodeWithSelector(IMedRec.NotAdmitted.selector, address(0)));
        vm.prank(doctor);
        medrec.requestAccess(alone, "");
        _admit(false, 2);
        _refused(abi.encodeWithSelector(IMedRec.NotAdmitted.selector, hospital));
        _ask(doctor);
    }

    function test_NobodyIsNotAsked() public {
        IMedRec.RequestAccess memory act = _asking(doctor);
        act.patient = address(0);
        _refused(IMedRec.BadPatient.selector);
        vm.prank(doctor);
        medrec.requestAccess(act, "");
    }

    function test_AnIdIsUsedOnceEver() public {
        bytes32 request = _ask(doctor);
        _refused(IMedRec.RequestExists.selector);
        _ask(doctor);
        _deny(patient, request);
        _refused(IMedRec.RequestExists.selector);
        _ask(doctor);
    }

    function test_ThePatientDeniesOnce() public {
        bytes32 request = _ask(doctor);
        vm.expectEmit(address(medrec));
        emit IMedRec.AccessDenied(patient, request, keccak256("reason"));
        _deny(patient, request);
        vm.assertEq(_state(request), 2);
        _refused(IMedRec.RequestNotOpen.selector);
        _deny(patient, request);
    }

    function test_OnlyThePatientAskedDenies() public {
        bytes32 request = _ask(doctor);
        _refused(IMedRec.RequestNotOpen.selector);
        _deny(stranger, request);
    }

    function test_TheRequesterWithdrawsOnce() public {
        bytes32 request = _ask(doctor);
        vm.expectEmit(address(medrec));
        emit IMedRec.RequestWithdrawn(patient, doctor, request, keccak256("nonce"));
        _withdraw(doctor, request);
        vm.assertEq(_state(request), 2);
        _refused(IMedRec.RequestNotOpen.selector);
        _withdraw(doctor, request);
    }

    function test_NobodyElseWithdraws() public {
        bytes32 request = _ask(doctor);
        _refused(IMedRec.RequestNotOpen.selector);
        _withdraw(stranger, request);
        vm.assertEq(_state(request), 1);
    }

    function test_ManyGrantsAnswerOneRequest() public {
        bytes32 request = _ask(doctor);
        for (uint16 folder = 1; folder <= 2; ++folder) {
            IMedRec.GrantAccess memory act = _grant(doctor, bytes32(uint256(folder)), 1);
            act.request = request;
            _give(act);
        }
        vm.assertEq(_state(request), 1);
    }
}
