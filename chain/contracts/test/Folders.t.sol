// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

contract FoldersTest is Clinic {
    function _name(uint16 folder, uint64 serial) private {
        vm.prank(patient);
        medrec.nameFolder(IMedRec.NameFolder(patient, folder, keccak256("name"), serial), "");
    }

    function _epoch(uint16 folder) private view returns (uint32 epoch) {
        (epoch,) = medrec.folderOf(patient, folder);
    }

    function test_AFolderIsNamedAnew() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.FolderNamed(patient, 1, keccak256("name"), 1);
        _name(1, 1);
        _refused(abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 1, 1));
        _name(1, 1);
        _name(1, 2);
        (, uint64 serial) = medrec.folderOf(patient, 1);
        vm.assertEq(serial, 2);
    }

    function test_TheInboxHasNoNameAndNoEpochs() public {
        _refused(IMedRec.BadFolder.selector);
        _name(0, 1);
        _refused(IMedRec.BadFolder.selector);
        vm.prank(patient);
        medrec.rekeyFolder(IMedRec.RekeyFolder(patient, 0, 0, 1, bytes32(0)), "");
    }

    function test_AFolderMovesToAnyHigherEpoch() public {
        vm.expectEmit(address(medrec));
        emit IMedRec.FolderRekeyed(patient, 1, 0, 513, keccak256("envelopes"));
        _rekey(0, 513);
        vm.assertEq(_epoch(1), 513);
        vm.assertEq(_epoch(2), 0);
    }

    function testFuzz_OnlyFromTheCurrentEpoch(uint32 from, uint32 to) public {
        _rekey(0, 4);
        bool next = from == 4 && to > 4 && to <= type(uint16).max;
        if (from != 4) _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 4, from));
        else if (!next) _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 4, to));
        _rekey(from, to);
        vm.assertEq(_epoch(1), next ? to : 4);
    }

    function testFuzz_AnEpochNeverLeavesItsGeneration(uint32 to) public {
        bool next = to > 0 && to <= type(uint16).max;
        if (!next) _refused(abi.encodeWithSelector(IMedRec.EpochNotCurrent.selector, 0, to));
        _rekey(0, to);
        vm.assertEq(_epoch(1), next ? to : 0);
    }
}
