// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IMedRec} from "../src/IMedRec.sol";
import {MedRec} from "../src/MedRec.sol";
import {Clinic} from "./Clinic.sol";

contract DirectoryTest is Clinic {
    function _leave(address by, uint64 serial) private {
        vm.prank(by);
        medrec.leaveInstitution(IMedRec.LeaveInstitution(by, hospital, serial), "");
    }

    function _checkAffiliation(bool affiliated, uint64 serial) private view {
        (bool on, uint64 last) = medrec.affiliationOf(hospital, doctor);
        vm.assertTrue(on == affiliated);
        vm.assertEq(last, serial);
    }

    function test_OnlyTheAdmissionKeyAdmits() public {
        _refused(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, medrec.ADMISSION_ROLE()
            )
        );
        vm.prank(stranger);
        medrec.admitInstitution(IMedRec.AdmitInstitution(stranger, hospital, true, 2), "");
    }

    function test_AnInstitutionIsSuspendedAndAdmittedAgain() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.InstitutionAdmitted(hospital, admission, false, 2);
        _admit(false, 2);
        (bool admitted, uint64 serial) = medrec.institutionOf(hospital);
        vm.assertFalse(admitted);
        vm.assertEq(serial, 2);
        _admit(true, 3);
        (admitted,) = medrec.institutionOf(hospital);
        vm.assertTrue(admitted);
    }

    function test_NobodyIsNoInstitution() public {
        _refused(IMedRec.BadVia.selector);
        vm.prank(admission);
        medrec.admitInstitution(IMedRec.AdmitInstitution(admission, address(0), true, 1), "");
    }

    function testFuzz_SerialsGrowByAtMost1024(uint64 serial) public {
        bool next = serial > 1 && serial <= 1025;
        if (!next) _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 1, serial));
        _affiliate(false, serial);
        _checkAffiliation(!next, next ? serial : 1);
    }

    function test_TheInstitutionEndsAnAffiliation() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.DoctorAffiliated(hospital, doctor, false, 2);
        _affiliate(false, 2);
        _checkAffiliation(false, 2);
    }

    function test_TheDoctorLeaves() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.InstitutionLeft(hospital, doctor, 2);
        _leave(doctor, 2);
        _checkAffiliation(false, 2);
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 2, 2));
        _affiliate(true, 2);
    }

    function test_AnInstitutionIsNotItsOwnDoctor() public {
        _refused(IMedRec.BadVia.selector);
        vm.prank(hospital);
        medrec.affiliateDoctor(IMedRec.AffiliateDoctor(hospital, hospital, true, 1), "");
    }

    function test_OnlyTheAnchorKeyAnchorsAndOnlyForward() public {
        bytes32 log = keccak256("log");
        vm.expectEmit(address(medrec));
        emit IMedRec.LogAnchored(anchorer, log, 10, keccak256("root"));
        vm.prank(anchorer);
        medrec.anchorLog(IMedRec.AnchorLog(anchorer, log, 10, keccak256("root")), "");
        vm.assertEq(medrec.logOf(anchorer, log), 10);
        _refused(abi.encodeWithSelector(IMedRec.SizeNotGrowing.selector, 10, 10));
        vm.prank(anchorer);
        medrec.anchorLog(IMedRec.AnchorLog(anchorer, log, 10, keccak256("other")), "");
        _refused(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, medrec.ANCHOR_ROLE()
            )
        );
        vm.prank(stranger);
        medrec.anchorLog(IMedRec.AnchorLog(stranger, log, 11, keccak256("root")), "");
    }

    function test_TheFirstContractIsItsOwnOrigin() public {
        (uint256 chain, address first) = medrec.origin();
        vm.assertEq(chain, block.chainid);
        vm.assertEq(first, address(medrec));
        MedRec next = _deploy(5, address(medrec));
        (chain, first) = next.origin();
        vm.assertEq(chain, 5);
        vm.assertEq(first, address(medrec));
    }

    function test_TheAdminRoleNeedsTwoDays() public view {
        vm.assertEq(medrec.defaultAdmin(), admin);
        vm.assertEq(medrec.defaultAdminDelay(), 2 days);
    }
}
