// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {MedRec} from "../src/MedRec.sol";
import {Clinic} from "./Clinic.sol";

/// @notice A patient, a doctor and an administrator who do what they like, in any order; it remembers what must hold.
contract Ward is Clinic {
    bytes32 public record;
    bool public revoked = true;
    bool public closed;
    uint32 public epoch;
    uint32 public version = 1;
    uint64 public serial;

    constructor() {
        setUp();
        record = _add(_record(patient, 1));
    }

    function contracts() external view returns (MedRec, address, address, address) {
        return (medrec, patient, doctor, hospital);
    }

    function grant(uint64 given, bool write, bool whole) external {
        IMedRec.GrantAccess memory act = _grant(whole ? hospital : doctor, GENERAL, write ? 3 : 1);
        (act.serial, act.epoch) = (given % 2048, epoch);
        vm.prank(patient);
        try medrec.grantAccess(act, "") {
            if (!whole) (serial, revoked) = (act.serial, false);
        } catch {}
    }

    function revoke(uint64 given) external {
        vm.prank(patient);
        try medrec.revokeAccess(_revoke(doctor, GENERAL, given % 2048), "") {
            (serial, revoked) = (given % 2048, true);
        } catch {}
    }

    function rekey(uint32 from, uint32 to) external {
        (from, to) = (from % 8, to % 64);
        vm.prank(patient);
        try medrec.rekeyFolder(IMedRec.RekeyFolder(patient, 1, from == 7 ? epoch : from, to, 0), "") {
            epoch = to;
        } catch {}
    }

    function modify(bool byDoctor, uint32 given) external {
        IMedRec.ModifyRecord memory act = _modify(byDoctor ? doctor : patient, record, 1);
        (act.epoch, act.version) = (epoch, version + given % 3);
        vm.prank(act.author);
        try medrec.modifyRecord(act, "") {
            version = act.version;
        } catch {}
    }

    function close(uint8 reason) external {
        vm.prank(patient);
        try medrec.closeRecord(IMedRec.CloseRecord(patient, patient, record, 0, reason % 64), "") {
            closed = true;
        } catch {}
    }

    function affiliate(bool on, uint64 given) external {
        vm.prank(hospital);
        try medrec.affiliateDoctor(IMedRec.AffiliateDoctor(hospital, doctor, on, given % 64), "") {} catch {}
    }

    function admit(bool on, uint64 given) external {
        vm.prank(admission);
        try medrec.admitInstitution(IMedRec.AdmitInstitution(admission, hospital, on, given % 64), "") {} catch {}
    }

    function wait(uint40 seconds_) external {
        vm.warp(block.timestamp + seconds_ % 20_000_000);
    }
}

contract InvariantsTest is Clinic {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Ward private _ward;

    function setUp() public override {
        _ward = new Ward();
        (medrec,,,) = _ward.contracts();
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        (selectors[0], selectors[1], selectors[2]) = (Ward.grant.selector, Ward.revoke.selector, Ward.rekey.selector);
        (selectors[3], selectors[4], selectors[5]) =
        (Ward.modify.selector, Ward.close.selector, Ward.affiliate.selector);
        (selectors[6], selectors[7]) = (Ward.admit.selector, Ward.wait.selector);
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_ward), selectors);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_ward);
    }

    function invariant_TheGrantIsTheLatestIntent() public view {
        (uint8 permissions,,, uint64 serial,,) = medrec.grantOf(patient, doctor, hospital, GENERAL);
        vm.assertEq(serial, _ward.serial());
        vm.assertTrue((permissions == 0) == _ward.revoked());
    }

    function invariant_WhoMayWriteMayRead() public view {
        if (medrec.canWrite(patient, doctor, hospital, GENERAL)) {
            vm.assertTrue(medrec.canRead(patient, doctor, hospital, GENERAL));
        }
    }

    function invariant_NobodyReadsThroughASuspendedOrLeftInstitution() public view {
        (bool admitted,) = medrec.institutionOf(hospital);
        (bool affiliated,) = medrec.affiliationOf(hospital, doctor);
        if (!admitted || !affiliated) vm.assertFalse(medrec.canRead(patient, doctor, hospital, GENERAL));
    }

    function invariant_EpochsAndVersionsAreTheOnesTaken() public view {
        (uint32 epoch,) = medrec.folderOf(patient, 1);
        (address owner,, uint32 written, uint32 version,, bool closed) = medrec.recordOf(_ward.record());
        vm.assertEq(epoch, _ward.epoch());
        vm.assertEq(version, _ward.version());
        vm.assertTrue(closed == _ward.closed() && owner == patient && written <= epoch);
    }

    function invariant_AStrangerNeverReads() public view {
        vm.assertFalse(medrec.canRead(patient, stranger, address(0), GENERAL));
        vm.assertFalse(medrec.canRead(patient, stranger, hospital, GENERAL));
        vm.assertFalse(medrec.canRead(patient, doctor, address(0), GENERAL));
    }
}
