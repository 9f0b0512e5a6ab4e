// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Drafts} from "./Drafts.sol";
import {Survey} from "./Memory.sol";
import {Ward} from "./Ward.sol";

/// @notice What holds after whatever anybody did; the last test shows that enough was done for that to mean something.
contract InvariantsTest is Drafts {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    uint256 private constant BEFORE = 150; // acts before each run, so that it begins among records and grants
    uint256 private constant STEPS = 1_000;

    Ward private _ward;

    function setUp() public override {
        _ward = new Ward();
        medrec = _ward.contractOf();
        vm.pauseGasMetering();
        for (uint256 i = 0; i < BEFORE; ++i) {
            _ward.act(uint256(keccak256(abi.encode("before", i))));
        }
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Ward.step.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_ward), selectors);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_ward);
    }

    // -------------------------------------------------------------------------------------------------- invariants

    /// @dev Whoever reads or writes does so by a grant that its patient's signer in force signed or sent.
    function invariant_NobodyButThePatientWidensAccess() public view {
        vm.assertEq(_ward.forged(), 0);
        if (_ward.steps() % 2 == 0) vm.assertEq(_ward.survey().wider, 0);
    }

    function invariant_AGrantServesUntilItEnds() public view {
        if (_ward.steps() % 2 == 0) vm.assertEq(_ward.survey().narrower, 0);
    }

    function invariant_ARevokedOrExpiredGrantNeverReads() public view {
        if (_ward.steps() % 2 == 0) vm.assertEq(_ward.survey().endedThatServes, 0);
    }

    function invariant_VersionsOnlyGrow() public view {
        vm.assertFalse(_ward.shrunk());
        bytes32[] memory records = _ward.records();
        for (uint256 i = 0; i < records.length; ++i) {
            (address owner, uint16 folder, uint32 version, bool closed) = _ward.written(records[i]);
            (address owner_, uint16 folder_,, uint32 version_,, bool closed_) = medrec.recordOf(records[i]);
            vm.assertTrue(owner == owner_ && folder == folder_ && version == version_ && closed == closed_);
        }
    }

    function invariant_SerialsAndEpochsAreTheLastAccepted() public view {
        address[2] memory owners = [patient, neighbour];
        for (uint256 i = 0; i < 2; ++i) {
            for (uint16 folder = 1; folder <= 2; ++folder) {
                (uint32 epoch,) = medrec.folderOf(owners[i], folder);
                vm.assertEq(epoch, _last("folder", owners[i], address(0), address(0), bytes32(uint256(folder))));
            }
            (, uint32 generation) = medrec.signerOf(owners[i]);
            vm.assertEq(generation, _last("generation", owners[i], address(0), address(0), 0));
            (,,, uint64 serial,,) = medrec.grantOf(owners[i], doctor, hospital, GENERAL);
            vm.assertEq(serial, _last("grant", owners[i], doctor, hospital, GENERAL));
        }
        (, uint64 admitted) = medrec.institutionOf(hospital);
        vm.assertEq(admitted, _last("institution", hospital, address(0), address(0), 0));
        (, uint64 affiliated) = medrec.affiliationOf(hospital, doctor);
        vm.assertEq(affiliated, _last("affiliation", hospital, doctor, address(0), 0));
        vm.assertEq(medrec.logOf(anchorer, LOG), _last("log", anchorer, address(0), address(0), LOG));
    }

    function invariant_AnActWorksAtMostOnce() public view {
        vm.assertEq(_ward.workedTwice(), 0);
    }

    function invariant_ABatchEqualsItsActsOneByOne() public view {
        vm.assertEq(_ward.batchesUnlike(), 0);
    }

    // ---------------------------------------------------------------------------------------------- not in a void

    /// @dev A long walk of the same steps: every act was accepted and refused, and every state of a grant was seen.
    function test_TheWardReachesWhatTheInvariantsAreAbout() public {
        Survey memory all;
        for (uint256 i = 0; i < STEPS; ++i) {
            _ward.step(uint256(keccak256(abi.encode(i))));
            if (i % 8 != 0) continue;
            Survey memory now_ = _ward.survey();
            all.readable += now_.readable;
            all.writable += now_.writable;
            all.ended += now_.ended;
            all.paused += now_.paused;
        }
        bytes4[18] memory kinds = _kinds();
        for (uint256 i = 0; i < kinds.length; ++i) {
            _atLeast(_ward.accepted(kinds[i]), 3, vm.toString(i));
            _atLeast(_ward.refused(kinds[i]), 3, vm.toString(i));
        }
        _atLeast(_ward.forgeries(), 80, "forgeries");
        _atLeast(_ward.replays(), 80, "replays");
        _atLeast(_ward.mixedBatches(), 50, "mixedBatches");
        _atLeast(all.readable, 50, "readable");
        _atLeast(all.writable, 50, "writable");
        _atLeast(all.ended, 50, "ended");
        _atLeast(all.paused, 15, "paused");
        invariant_NobodyButThePatientWidensAccess();
        invariant_AGrantServesUntilItEnds();
        invariant_ARevokedOrExpiredGrantNeverReads();
        invariant_VersionsOnlyGrow();
        invariant_SerialsAndEpochsAreTheLastAccepted();
        invariant_AnActWorksAtMostOnce();
        invariant_ABatchEqualsItsActsOneByOne();
    }

    function _atLeast(uint256 seen, uint256 wanted, string memory what) private pure {
        vm.assertTrue(seen >= wanted, string.concat(what, ": ", vm.toString(seen)));
    }

    function _last(string memory name, address one, address two, address three, bytes32 scope)
        private
        view
        returns (uint256)
    {
        return _ward.last(_ward.slotOf(name, one, two, three, scope));
    }

    function _kinds() private view returns (bytes4[18] memory) {
        return [
            medrec.grantAccess.selector,
            medrec.revokeAccess.selector,
            medrec.giveUpAccess.selector,
            medrec.newRecord.selector,
            medrec.modifyRecord.selector,
            medrec.closeRecord.selector,
            medrec.rekeyFolder.selector,
            medrec.nameFolder.selector,
            medrec.blockSender.selector,
            medrec.admitInstitution.selector,
            medrec.affiliateDoctor.selector,
            medrec.leaveInstitution.selector,
            medrec.requestAccess.selector,
            medrec.denyAccess.selector,
            medrec.withdrawRequest.selector,
            medrec.anchorLog.selector,
            medrec.publishKey.selector,
            medrec.replaceKeys.selector
        ];
    }
}
